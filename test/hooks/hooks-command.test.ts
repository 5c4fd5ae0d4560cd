import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { registerHooks } from "../../src/cli/hooks.ts";
import { planHooks } from "../../src/hooks/plan.ts";
import { restoreText } from "../../src/hooks/text.ts";
import { hookConfig } from "./configs.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What `rampart <args>` prints, and the settings file it asked for. */
async function rampart(args: readonly string[], ipv6: boolean): Promise<{ printed: string; file: string | undefined }> {
  let printed = "";
  let file: string | undefined;
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    printed += String(chunk);
    return true;
  });
  const program = new Command();
  registerHooks(program, (configFile) => {
    file = configFile;
    return Promise.resolve({ config: hookConfig(), variant: "auto", ipv6, lockWaitSeconds: 5 });
  });
  await program.parseAsync(["node", "rampart", ...args]);
  return { printed, file };
}

test("hooks show prints the restore text of both families", async () => {
  const { printed, file } = await rampart(["hooks", "show", "--config", "some.yaml"], true);
  expect(file).toBe("some.yaml");
  expect(printed).toBe(
    `# IPv4, for iptables-restore --noflush\n${restoreText(planHooks(hookConfig(), 4))}`
      + `# IPv6, for ip6tables-restore --noflush\n${restoreText(planHooks(hookConfig(), 6))}`,
  );
});

test("hooks show leaves IPv6 out where the host has none", async () => {
  const { printed, file } = await rampart(["hooks", "show"], false);
  expect(file).toBeUndefined();
  expect(printed).not.toContain("IPv6");
});
