/**
 * Contenders measured in turn, a round after another, so that whatever else
 * the machine does meets all of them. A ratio is taken within a round, where
 * both sides saw the same machine, and only then is the median taken.
 *
 * A contender is { name, baseline, measure, note }: `baseline` names the
 * contender it is compared with; `measure()` resolves to a sample, an object
 * of numbers with the result as `value`; `note(medians)` is optional and puts
 * the sample's other numbers in words.
 */

/** Resolves to the rows of the table; `benchmark` and `unit` are the same for all of them. */
export async function measureInTurn(benchmark, unit, contenders, rounds) {
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
  return contenders.map(({ name, baseline, note }) => {
    const own = samples.get(name);
    const values = own.map(({ value }) => value);
    const base = samples.get(baseline).map(({ value }) => value);
    const medians = Object.fromEntries(Object.keys(own[0]).map((key) => [key, median(own.map((sample) => sample[key]))]));
    return {
      benchmark,
      contender: name,
      unit,
      median: medians.value,
      minimum: Math.min(...values),
      maximum: Math.max(...values),
      ratio: median(values.map((value, round) => value / base[round])),
      baseline,
      note: note?.(medians) ?? "",
      samples: own,
    };
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
