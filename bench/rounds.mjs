/**
 * Contenders measured in turn, a round after another, so that whatever else
 * the machine does meets all of them. A ratio is taken within a round, where
 * both sides saw the same machine, and only then is the median taken.
 *
 * A contender is { name, baseline, measure, note }: `baseline` names the
 * contender it is compared with, or several; `measure()` resolves to a sample,
 * an object of numbers; `note(medians)` is optional and puts the sample's other
 * numbers in words.
 */

/** Resolves to the rows of the table: the sample's `value` is the result. `better` is "more" or "less". */
export async function measureInTurn(benchmark, unit, contenders, rounds, better = "more") {
  const samples = await takeTurns(benchmark, unit, contenders, rounds);
  return rowsOf(benchmark, unit, contenders, samples, better);
}

/** Resolves to contender name to its samples, one a round. */
export async function takeTurns(benchmark, unit, contenders, rounds) {
  const samples = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      // Another one begins each round, so that none always comes first.
      const contender = contenders[(round + turn) % contenders.length];
      const sample = await contender.measure();
      samples.get(contender.name).push(sample);
      const value = Math.round(sample.value * 100) / 100;
      console.error(`${benchmark}, round ${round + 1} of ${rounds}, ${contender.name}: ${value.toLocaleString("en")} ${unit}`);
    }
  }
  return samples;
}

/** A row for each contender and baseline; `pick(sample)` is what is compared, the sample's `value` unless told. */
export function rowsOf(benchmark, unit, contenders, samples, better, pick = (sample) => sample.value) {
  return contenders.flatMap(({ name, baseline, note }) => {
    const own = samples.get(name);
    const values = own.map(pick);
    const medians = Object.fromEntries(Object.keys(own[0]).map((key) => [key, median(own.map((sample) => sample[key]))]));
    return [baseline].flat().map((to, at) => {
      const ratios = values.map((value, round) => value / pick(samples.get(to)[round]));
      return {
        benchmark,
        contender: name,
        unit,
        better,
        median: median(values),
        minimum: Math.min(...values),
        maximum: Math.max(...values),
        ratio: median(ratios),
        ratioMinimum: Math.min(...ratios),
        ratioMaximum: Math.max(...ratios),
        baseline: to,
        // Said once, though there may be several baselines.
        note: at === 0 ? (note?.(medians) ?? "") : "",
        samples: at === 0 ? own : [],
      };
    });
  });
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
