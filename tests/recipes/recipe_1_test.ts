// docs/recipes/1-dingtalk.md: every end of a Go service told by DingTalk, with mobiles, user
// ids or everybody mentioned; one robot asks for signatures, the other for a keyword.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { storedEntries } from "../support/places.ts";
import { startRobot } from "../support/robot.ts";
import { assertNoSecrets } from "../support/secrets.ts";
import { assertSectionAsPrinted, readRecipe, type RecipeRun, startRecipe } from "./recipe.ts";

const TOKEN = "recipe-1-token-0a1b";
const SECRET = "SECrecipe1c2d3";
const TEAM_TOKEN = "recipe-1-team-4e5f";
const DEAD_MAN = "http://127.0.0.1:9/recipe-1-dead-man";
const SECRETS = [TOKEN, SECRET, TEAM_TOKEN];

/** Waits for a word in the file "mode"; behind a clean end it cannot be started any more. */
const SERVICE = `#!/bin/sh
[ "$(cat "{dir}/mode")" = broken ] && exit 1
while sleep 0.1; do
  case "$(cat "{dir}/mode")" in
    crash) echo run > "{dir}/mode"; exit 2 ;;
    clean) echo broken > "{dir}/mode"; exit 0 ;;
  esac
done
`;

function changed(
  robots: { readonly oncall: string; readonly team: string },
  mode: string,
): RecipeRun {
  return {
    changes: {
      // supervisord tells of FATAL about a second after the end: without a digest, or both are one.
      "oncall.token }": `oncall.token }\n    endpoint: ${robots.oncall}\n    digest: 0s`,
      "team.token }":
        `team.token }\n    endpoint: ${robots.team}\n    digest: 0s\n    mention: { all: true }`,
      eth0: "lo",
      "/srv/go-api": "{dir}",
      "user=www-data\n": "",
      "startsecs=5": "startsecs=2", // more than the second that supervisord may sleep over an end
      "startretries=3": "startretries=0",
      // Each start ends the incident, so that one process can be told in all its ends.
      "to: [oncall, team]": "to: [oncall, team]\n    resolve_after: 0s\n    resolved: false",
    },
    files: {
      "go-api": SERVICE,
      mode,
      "oncall.token": TOKEN,
      "oncall.secret": SECRET,
      "team.token": TEAM_TOKEN,
      "dead-man.url": DEAD_MAN,
    },
  };
}

Deno.test("recipe 1: kill, kill -9, a crash, a clean end and FATAL, by robots of both kinds", async () => {
  const recipe = await readRecipe("1-dingtalk.md");
  await assertSectionAsPrinted(recipe);
  await using oncall = startRobot({ token: TOKEN, secret: SECRET });
  await using team = startRobot({ token: TEAM_TOKEN, keyword: "主机" });
  const robots = { oncall: oncall.endpoint, team: team.endpoint };
  await using supervisord = await startRecipe(recipe, changed(robots, "run"));
  const mode = (text: string) => Deno.writeTextFile(`${supervisord.dir}/mode`, text);
  const told = (count: number) =>
    supervisord.until(
      `message ${count} at both robots`,
      () =>
        oncall.messages.length >= count && team.messages.length >= count &&
        oncall.messages[count - 1]!,
    );
  const running = (times: number) =>
    supervisord.until(
      `go-api RUNNING ${times} times`,
      () => supervisord.log().split("success: go-api entered RUNNING").length > times,
    );

  await running(1);
  const first = supervisord.pidOf("go-api");
  Deno.kill(first, "SIGKILL");
  const killed = await told(1);
  assertStringIncludes(killed.text, "go-api 被 SIGKILL 终止");
  assertStringIncludes(killed.text, `PID：${first}`);

  await running(2);
  Deno.kill(supervisord.pidOf("go-api"), "SIGTERM");
  assertStringIncludes((await told(2)).text, "go-api 被 SIGTERM 终止");

  await running(3);
  await mode("crash");
  assertStringIncludes((await told(3)).text, "go-api 意外退出");

  await running(4);
  await mode("clean");
  assertStringIncludes((await told(4)).text, "go-api 正常退出");
  assertStringIncludes((await told(5)).text, "go-api 启动失败，supervisord 已放弃重试 (FATAL)");

  for (const { text, at } of oncall.messages) {
    assertStringIncludes(text, "@13800138000");
    assertStringIncludes(text, "@manager01");
    assertEquals([at.atMobiles, at.atUserIds], [["13800138000"], ["manager01"]]);
    assert(at.isAtAll !== true);
  }
  for (const { at } of team.messages) assertEquals(at.isAtAll, true);
  assertEquals([oncall.messages.length, team.messages.length], [5, 5]);
  assertNoSecrets(supervisord, SECRETS);
});

Deno.test("recipe 1: a non-zero errcode is a failure that is told in plain words", async () => {
  await using oncall = startRobot({ token: TOKEN, secret: "SECanother" });
  await using team = startRobot({ token: TEAM_TOKEN });
  const robots = { oncall: oncall.endpoint, team: team.endpoint };
  const recipe = await readRecipe("1-dingtalk.md");
  await using supervisord = await startRecipe(recipe, changed(robots, "broken"));
  const entries = await supervisord.until("both to be settled", () => {
    const stored = storedEntries(`${supervisord.dir}/state`);
    return stored.length === 2 && stored.every(({ state }) => state !== "waiting") && stored;
  });
  const refused = entries.find(({ channel }) => channel === "oncall")!;
  const reason = "errcode 310000: sign not match (check secret, and this host's clock)";
  assertEquals([refused.state, refused.reason], ["dead", reason]);
  assertMatch(
    supervisord.listenerLog(),
    /ERROR gave up entry \d+ \(alert \w+\) to oncall: errcode 310000: sign not match .*superbell outbox retry \d+/,
  );
  assertEquals(entries.find(({ channel }) => channel === "team")!.state, "delivered");
  assertEquals([oncall.errcodes, team.errcodes], [[310000], [0]]);
  assertNoSecrets(supervisord, SECRETS);
});
