// A shell script as the command: it keeps its stdin as a file, or fails in the ways that
// commands fail, telling the secret that it was given in its environment.

import type { Behaviour, ChannelHarness } from "./channel.ts";

const TOKEN = "conformance-exec-token";
const REFUSAL = "no such room";

/** A command of the user's own. */
export const execHarness: ChannelHarness = {
  type: "exec",
  secrets: [TOKEN],
  refusal: REFUSAL,
  notApplicable: { "breaks-tls": "a command has no certificate" },
  async start(behaviour) {
    const folder = await Deno.makeTempDir({ prefix: "superbell-exec-" });
    await Deno.mkdir(`${folder}/received`);
    const script = `${folder}/alert`;
    await Deno.writeTextFile(script, SCRIPTS[behaviour], { mode: 0o755 });
    return {
      config: {
        command: [script, `${folder}/received`, "{summary}"],
        environment: { API_TOKEN: TOKEN },
      },
      received: () =>
        Array.from(Deno.readDirSync(`${folder}/received`)).map(({ name }) =>
          JSON.parse(Deno.readTextFileSync(`${folder}/received/${name}`)).text
        ),
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  },
};

const SCRIPTS: Readonly<Record<Behaviour, string>> = {
  accepts: `#!/bin/sh
[ "$API_TOKEN" = ${TOKEN} ] || exit 78
exec cat >"$1/$$"
`,
  "refuses-message": `#!/bin/sh
echo "${REFUSAL}, tried with $API_TOKEN" >&2
exit 65
`,
  busy: `#!/bin/sh
echo "too much at the moment for $API_TOKEN"
exit 75
`,
  hangs: `#!/bin/sh
echo "waiting with $API_TOKEN"
sleep 600
`,
  "refuses-connection": "#!/no/such/interpreter\n",
  "breaks-tls": "",
  "answers-garbage": `#!/bin/sh
printf '\\377\\000\\033[31m %s' "$API_TOKEN"
exit 200
`,
  "server-error": `#!/bin/sh
echo "Traceback: could not send with $API_TOKEN" >&2
exit 1
`,
  resets: `#!/bin/sh
echo "$API_TOKEN"
kill -KILL $$
`,
};
