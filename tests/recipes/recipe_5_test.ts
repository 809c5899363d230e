// docs/recipes/5-elasticsearch.md: a program that needs long to come up. With a startsecs that
// is as long as that, supervisord gives up and says FATAL; with the default it never does.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { storedEntries } from "../support/places.ts";
import { startRobot } from "../support/robot.ts";
import { assertSectionAsPrinted, readRecipe, startRecipe } from "./recipe.ts";

const TOKEN = "recipe-5-token-99";
const SECRET = "SECrecipe5";

/** Dies in the middle of coming up, as Elasticsearch does at a bad setting. */
const ELASTICSEARCH = `#!/bin/sh
sleep 1.3
exit 78
`;

Deno.test("recipe 5: with a long startsecs FATAL is told; with the default, that it is flapping", async () => {
  const recipe = await readRecipe("5-elasticsearch.md");
  await assertSectionAsPrinted(recipe);
  await using robot = startRobot({ token: TOKEN, secret: SECRET });
  await using supervisord = await startRecipe(recipe, {
    // The same program once more, as the tutorial had it first.
    programs: `
[program:impatient]
command={dir}/elasticsearch
autorestart=true
`,
    changes: {
      "dingtalk.token }": `dingtalk.token }\n    endpoint: ${robot.endpoint}`,
      "where: { process: elasticsearch }": "where: { process: [elasticsearch, impatient] }",
      "/usr/share/elasticsearch/bin": "{dir}",
      "directory=/usr/share/elasticsearch": "directory={dir}",
      "/var/log/elasticsearch/": "{dir}/",
      "user=elasticsearch\n": "", // there is no such user here
      "startsecs=120": "startsecs=3", // nobody waits for two minutes, four times
      "startretries=3": "startretries=1",
    },
    files: {
      elasticsearch: ELASTICSEARCH,
      "dingtalk.token": TOKEN,
      "dingtalk.secret": SECRET,
    },
  });
  // What comes within a second is told in one message, so the alerts are counted and not those.
  const told = (name: string) =>
    storedEntries(`${supervisord.dir}/state`)
      .filter(({ alert, state }) => alert.process?.name === name && state === "delivered")
      .map(({ alert }) => alert.word);
  await supervisord.until(
    "FATAL of one, flapping of the other",
    () => told("elasticsearch").includes("fatal") && told("impatient").includes("flapping"),
    40_000,
  );
  assertEquals(told("elasticsearch"), ["start_failed", "fatal"]);
  assertEquals(told("impatient"), ["crash", "flapping"]);
  const texts = robot.messages.map(({ text }) => text).join("\n");
  assertStringIncludes(texts, "elasticsearch 启动失败 2 次，supervisord 已放弃重试 (FATAL)");
  assertStringIncludes(texts, "impatient 意外退出，退出码 78");
  assertStringIncludes(texts, "impatient 反复退出重启");
  assertEquals(await supervisord.stateOf("elasticsearch"), "FATAL");
  assert(["RUNNING", "STARTING"].includes(await supervisord.stateOf("impatient")));
});
