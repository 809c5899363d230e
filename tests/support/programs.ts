// Sections of supervisord.conf for programs that tests have in common.

/** A program that exits with status 3 whenever it is started, and stays down. */
export function failingProgram(name: string): string {
  return `
[program:${name}]
command=/bin/sh -c "exit 3"
autostart=false
autorestart=false
startsecs=0
`;
}
