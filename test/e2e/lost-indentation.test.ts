/** A policy whose indentation is lost, as it comes out of some articles, given to the daemon (SEMANTICS 0.2). */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";

const FLAT = `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
name: flat
spec:
types:
- Ingress
ingress:
- action: Allow
protocol: TCP
destination:
ports:
- 8080
`;

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(async () => {
  await rampart.uninstall();
});

test("it is enforced as it was meant, and the log has the document as it is read", async () => {
  rampart = await startRampart(lab.shield, { policies: { "endpoint.yaml": ETH0, "flat.yaml": FLAT } });
  for (const { shield } of FAMILIES) {
    await expectConnects(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
  }
  const line = await rampart.waitForLog("the repair", (each) => each["code"] === "RAMPART_W_REPAIR_INDENTATION");
  expect(line).toMatchObject({ level: "warn", line: 1, column: 1 });
  expect(line["yaml"]).toContain("      destination:\n        ports:\n          - 8080\n");
});

test("with lenientYaml: false it changes nothing", async () => {
  rampart = await startRampart(lab.shield, {
    policies: { "endpoint.yaml": ETH0 },
    settings: { policy: { lenientYaml: false } },
  });
  const generation = await rampart.generation();
  rampart.writePolicy("flat.yaml", FLAT);
  const line = await rampart.waitForLog("the error", (each) => String(each["file"]).endsWith("flat.yaml"));
  expect(line["level"]).toBe("error");
  expect(await rampart.generation()).toBe(generation);
});
