/**
 * The modern side of the probes in which modern runs outside the caller's thread. As a module in a thread it
 * uses CPU time; as a program it speaks the worker protocol: `node bench/isolation-worker.ts
 * garbage|killed|disorder|huge`.
 */
export const burner = {
  async calculate({ pnl }: { readonly pnl: number }): Promise<{ pnl: number }> {
    for (const untilMs = performance.now() + 20; performance.now() < untilMs; );
    return { pnl };
  },
};

type Answer = (line: string) => void;

/** The behaviours of the worker in a call; `result` is the right answer. */
const behaviours: Readonly<Record<string, (result: string, answer: Answer) => void>> = {
  /** Prints invalid lines to stdout before its answer. */
  garbage: (result, answer) => {
    process.stdout.write(
      'loading prices ... done\n{"half": \n\u0000\u0001\n{"jsonrpc":"2.0","id":999999,"result":1}\n',
    );
    answer(result);
  },
  /** Never answers, so that it can be killed in the middle of the call. */
  killed: () => {},
  /** Answers eight calls in the reverse order. */
  disorder: (() => {
    const held: (() => void)[] = [];
    return (result: string, answer: Answer) => {
      held.push(() => answer(result));
      if (held.length === 8) for (const answerOne of held.splice(0).reverse()) answerOne();
    };
  })(),
  huge: (_, answer) => answer(`"${"x".repeat(200 * 2 ** 20)}"`),
};

if (import.meta.main) {
  const behave = behaviours[process.argv[2] ?? ""] as NonNullable<(typeof behaviours)[string]>;
  let held = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (chunk) => {
    const lines = (held + chunk).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) take(line, behave);
  });
  process.stdin.on("end", () => process.exit());
}

function take(line: string, behave: (result: string, answer: Answer) => void): void {
  const { id, method, params } = JSON.parse(line);
  const answer = (result: string): void =>
    void process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":${result}}\n`);
  if (method === "initialize") answer('{"protocolVersion":1,"name":"probe"}');
  else behave(JSON.stringify(params.request), answer);
}
