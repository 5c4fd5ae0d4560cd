/**
 * `rampart explain`: what the policies in files say about a connection, and
 * why, without a daemon. One question by options, or any number of them on
 * standard input with --batch. Exit status 0: answered, whatever the verdict.
 */
import { type Command, Option } from "commander";
import { loadOptions } from "../daemon/load-options.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { BatchAnswers } from "../explain/batch-answers.ts";
import { answerStream } from "../explain/batch-stream.ts";
import { connect, planCourse } from "../explain/connection.ts";
import { CoursePlanner, HOOKS } from "../explain/course.ts";
import type { Hook } from "../explain/course.ts";
import { EndpointDirectory } from "../explain/endpoint-directory.ts";
import { explainConnection } from "../explain/explain-connection.ts";
import { readQuestion } from "../explain/question.ts";
import { renderExplanation } from "../explain/render.ts";
import { formatWarning } from "../resources/diagnostics.ts";
import { loadResources } from "../resources/load.ts";
import type { ResourceSet } from "../resources/types.ts";

interface ExplainOptions {
  readonly policy: string[];
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: string;
  readonly port?: string;
  readonly sport?: string;
  readonly icmpType?: string;
  readonly icmpCode?: string;
  readonly family?: string;
  readonly hook?: Hook;
  readonly node?: string;
  readonly json?: boolean;
  readonly batch?: boolean;
  readonly strictYaml?: boolean;
}

const NOT_WITH_BATCH = ["from", "to", "protocol", "port", "sport", "icmpType", "icmpCode", "family", "json"] as const;

export function registerExplain(program: Command): void {
  program
    .command("explain")
    .description("say what the policies in files decide about a connection, and why; needs no daemon")
    .requiredOption("-p, --policy <path...>", "files and directories of policies and inventory")
    .option("--from <end>", "namespace/pod, a HostEndpoint's name, or an address; NAME@ADDRESS chooses the address")
    .option("--to <end>", "the same, for the destination")
    .option("--protocol <protocol>", "tcp, udp, sctp, udplite, icmp, icmpv6 or a number")
    .option("--port <port>", "destination port, or the name of a port of the destination")
    .option("--sport <port>", "source port (default: 49152)")
    .option("--icmp-type <n>", "ICMP type (default: echo request)")
    .option("--icmp-code <n>", "ICMP code (default: 0)")
    .option("--family <n>", "4 or 6, where both ends have both")
    .addOption(new Option("--hook <hook>", "judge at one hook only").choices(HOOKS))
    .option("--node <name>", "judge as this node would, not at both ends")
    .option("--strict-yaml", "lost indentation in the files is an error, not repaired with a warning")
    .option("--json", "print the whole path as JSON")
    .option("--batch", 'read JSON lines {"from","to","protocol","port","family"}, write a verdict line each')
    .action(async (options: ExplainOptions) => {
      process.exitCode = await explain(options);
    });
}

async function explain(options: ExplainOptions): Promise<number> {
  if (options.batch === true) refuseWithBatch(options);
  const set = load(options);
  if (set === undefined) return 1;
  const scope = { node: options.node, hook: options.hook };
  if (options.batch === true) {
    await answerStream(process.stdin, process.stdout, new BatchAnswers(set, scope));
    return 0;
  }
  const connection = connect(readQuestion(options), new EndpointDirectory(set));
  const course = planCourse(new CoursePlanner(set, scope), connection);
  const explanation = explainConnection(set, connection, course);
  const text = options.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : renderExplanation(explanation);
  process.stdout.write(text);
  return 0;
}

/** undefined if the files have errors, which are then printed: half a policy set explains nothing. */
function load({ policy, strictYaml }: ExplainOptions): ResourceSet | undefined {
  const { resources, errors, warnings } = loadResources(policy, loadOptions(strictYaml !== true));
  for (const error of errors) process.stderr.write(`${formatError(error)}\n`);
  for (const warning of warnings) process.stderr.write(`${formatWarning(warning)}\n`);
  return errors.length === 0 ? resources : undefined;
}

function refuseWithBatch(options: ExplainOptions): void {
  const given = NOT_WITH_BATCH.filter((name) => options[name] !== undefined);
  if (given.length === 0) return;
  const message = `--batch reads its questions from standard input, not from ${given.join(", ")}`;
  throw new RampartError("RAMPART_E_QUESTION", message, {
    hint: "leave those options out, or leave --batch out",
  });
}
