"""A real SMTP server on loopback for tests and the demo (Debian: python3-aiosmtpd).

Takes its options as one JSON argument, see SmtpServerOptions in smtp_server.ts. Prints one JSON
line {"port": …} when it listens and one for each mail; ends when its stdin is closed.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

options = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
login = options.get("login")
refused = options.get("refuse", {})


def report(value):
    print(json.dumps(value), flush=True)


def content(mail, kind):
    part = mail.get_body((kind,))
    return None if part is None else part.get_content()


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if address in refused:
            return refused[address]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in refused:
            return refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "data_reply" in options:
            return options["data_reply"]
        if options.get("hang") == "data":
            report({"event": "hanging"})
            await asyncio.Event().wait()
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        report({
            "event": "mail",
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": str(mail["subject"]),
            "text": content(mail, "plain"),
            "html": content(mail, "html"),
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "raw_subject": [v for k, v in mail.raw_items() if k.lower() == "subject"][0],
            "hello": session.host_name,
            "user": session.authenticated and login["username"] or None,
            "encrypted": server.transport.get_extra_info("cipher") is not None,
        })
        return "250 2.0.0 Ok: queued as 4XyZ"


def authenticate(server, session, envelope, mechanism, data):
    if not isinstance(data, LoginPassword):
        return AuthResult(success=False, handled=False)
    given = (data.login.decode(), data.password.decode())
    if given == (login["username"], login["password"]):
        return AuthResult(success=True)
    reply = options.get("login_reply", "535 5.7.8 Authentication credentials invalid")
    return AuthResult(success=False, handled=False, message=reply)


async def serve():
    loop = asyncio.get_running_loop()
    context = None
    if "certificate" in options:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options["certificate"], options["key"])
    security = options.get("security", "none")

    def protocol():
        return SMTP(
            Handler(),
            hostname="smtp.test",
            enable_SMTPUTF8=True,
            data_size_limit=options.get("size", 33554432),
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            authenticator=authenticate if login else None,
            auth_required=bool(login),
            auth_require_tls=security == "starttls",
            loop=loop,
        )

    server = await loop.create_server(
        protocol, "127.0.0.1", options.get("port", 0), ssl=context if security == "tls" else None
    )
    report({"event": "ready", "port": server.sockets[0].getsockname()[1]})
    await loop.run_in_executor(None, sys.stdin.read)


warnings.simplefilter("ignore")
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # a refused client is part of the test
asyncio.run(serve())
