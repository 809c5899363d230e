"""A listener as the common tutorials write it: it acts inside the loop, supervisord waits.

Usage: python_tutorial.py http URL | mail HOST:PORT | command PROGRAM
"""
import json
import smtplib
import subprocess
import sys
import urllib.request
from email.message import EmailMessage

from supervisor import childutils


def post(url, text):
    body = json.dumps({"msgtype": "text", "text": {"content": text}}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).read()


def mail(address, text):
    message = EmailMessage()
    message["From"] = "supervisord@example.com"
    message["To"] = "ops@example.com"
    message["Subject"] = text
    message.set_content(text)
    host, port = address.split(":")
    with smtplib.SMTP(host, int(port), timeout=10) as server:
        server.send_message(message)


def command(program, text):
    subprocess.run([program, text], stdout=subprocess.DEVNULL, check=False)


def main():
    act = {"http": post, "mail": mail, "command": command}[sys.argv[1]]
    while True:
        headers, payload = childutils.listener.wait(sys.stdin, sys.stdout)
        if headers["eventname"] == "PROCESS_STATE_EXITED":
            process = childutils.get_headers(payload)
            if process["expected"] == "0":
                name = "%s:%s" % (process["groupname"], process["processname"])
                try:
                    act(sys.argv[2], "%s exited unexpectedly" % name)
                except Exception as error:
                    sys.stderr.write("%s: %s\n" % (name, error))
        childutils.listener.ok(sys.stdout)


main()
