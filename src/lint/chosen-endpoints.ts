/** Which endpoints the selectors of policies choose; equal selectors are asked once. */
import { LabelIndex } from "../policy/label-index.ts";
import type { Labelled } from "../policy/label-index.ts";
import type { HostEndpoint, ResourceSet } from "../resources/types.ts";
import type { Selector } from "../selector/ast.ts";
import { matchesSelector } from "../selector/match.ts";
import type { LabelCatalogue } from "./label-catalogue.ts";

/** Most selectors that choose something choose one of the first few; catalogue and index are for the others. */
const TRIED_FIRST = 32;

export class ChosenEndpoints {
  readonly #hosts: Pool<HostEndpoint>;
  readonly #workloads: Pool<Labelled>;

  constructor(set: ResourceSet, catalogue: LabelCatalogue) {
    this.#hosts = new Pool(set.hostEndpoints, catalogue);
    this.#workloads = new Pool(set.workloadEndpoints, catalogue);
  }

  anyHost(selector: Selector): boolean {
    return this.#hosts.any(selector);
  }

  anyWorkload(selector: Selector): boolean {
    return this.#workloads.any(selector);
  }

  hosts(selector: Selector): readonly HostEndpoint[] {
    return this.#hosts.all(selector);
  }
}

class Pool<Item extends Labelled> {
  readonly #items: readonly Item[];
  readonly #catalogue: LabelCatalogue;
  readonly #index: LabelIndex<Item>;
  readonly #any = new Map<string, boolean>();
  readonly #all = new Map<string, readonly Item[]>();

  constructor(items: readonly Item[], catalogue: LabelCatalogue) {
    this.#items = items;
    this.#catalogue = catalogue;
    this.#index = new LabelIndex(items);
  }

  any(selector: Selector): boolean {
    const { key, root } = selector;
    let found = this.#any.get(key);
    if (found === undefined) {
      found = this.#items.slice(0, TRIED_FIRST).some(({ labels }) => matchesSelector(root, labels));
      found ||=
        this.#items.length > TRIED_FIRST &&
        this.#catalogue.unmet(selector).length === 0 &&
        this.#index.select(root).length > 0;
      this.#any.set(key, found);
    }
    return found;
  }

  all({ key, root }: Selector): readonly Item[] {
    let found = this.#all.get(key);
    if (found === undefined) this.#all.set(key, (found = this.#index.select(root)));
    return found;
  }
}
