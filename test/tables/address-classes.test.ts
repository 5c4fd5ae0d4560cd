import { describe, expect, it } from "vitest";
import { parseCidr, type Cidr } from "../../src/address/address.ts";
import { AddressClassBuilder, type AddressClasses } from "../../src/tables/address-classes.ts";
import { AddressPredicates } from "../../src/tables/address-sets.ts";
import { classOfIPv4, classOfIPv6 } from "../../src/tables/interval-table.ts";

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(`no CIDR: ${text}`);
  return parsed.cidr;
}

function predicatesOf(classes: AddressClasses, cls: number): number[] {
  const { start, values } = classes.predicates;
  return [...values.subarray(start[cls], start[cls + 1])];
}

function ipv4(text: string): number {
  return Number(cidr(`${text}/32`).value);
}

function ipv6(text: string): Uint32Array {
  const { value } = cidr(`${text}/128`);
  return Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((value >> shift) & 0xffffffffn));
}

describe("address classes", () => {
  it("nest: an address satisfies every predicate whose set holds it", () => {
    const source = new AddressPredicates();
    const wide = source.predicate([source.netSet([cidr("10.0.0.0/8")])], []);
    const narrow = source.predicate([source.netSet([cidr("10.1.0.0/16"), cidr("10.2.3.4/32")])], []);
    const classes = new AddressClassBuilder(source).publish();
    const at = (text: string): number[] => predicatesOf(classes, classOfIPv4(classes.ipv4, ipv4(text)));
    expect(at("9.255.255.255")).toEqual([]);
    expect(at("10.0.0.0")).toEqual([wide]);
    expect(at("10.1.0.0")).toEqual([wide, narrow]);
    expect(at("10.1.255.255")).toEqual([wide, narrow]);
    expect(at("10.2.0.0")).toEqual([wide]);
    expect(at("10.2.3.4")).toEqual([wide, narrow]);
    expect(at("10.2.3.5")).toEqual([wide]);
    expect(at("11.0.0.0")).toEqual([]);
    expect(at("0.0.0.0")).toEqual([]);
    expect(at("255.255.255.255")).toEqual([]);
  });

  it("exclude: a predicate with only excluded sets holds everywhere else, in both families", () => {
    const source = new AddressPredicates();
    const outside = source.predicate([], [source.netSet([cidr("192.168.0.0/16"), cidr("fd00::/8")])]);
    const classes = new AddressClassBuilder(source).publish();
    const at4 = (text: string): number[] => predicatesOf(classes, classOfIPv4(classes.ipv4, ipv4(text)));
    const at6 = (text: string): number[] => predicatesOf(classes, classOfIPv6(classes.ipv6, ipv6(text), 0));
    expect(at4("192.167.255.255")).toEqual([outside]);
    expect(at4("192.168.0.1")).toEqual([]);
    expect(at6("fc00::1")).toEqual([outside]);
    expect(at6("fdff::1")).toEqual([]);
    expect(at6("fe00::")).toEqual([outside]);
  });

  it("covers the whole space: /0, the last address, and host prefixes at both ends", () => {
    const source = new AddressPredicates();
    const all = source.predicate([source.netSet([cidr("0.0.0.0/0"), cidr("::/0")])], []);
    const ends = source.predicate([source.netSet([cidr("0.0.0.0/32"), cidr("255.255.255.255/32")])], []);
    const last6 = source.predicate([source.netSet([cidr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")])], []);
    const classes = new AddressClassBuilder(source).publish();
    const at4 = (text: string): number[] => predicatesOf(classes, classOfIPv4(classes.ipv4, ipv4(text)));
    const at6 = (text: string): number[] => predicatesOf(classes, classOfIPv6(classes.ipv6, ipv6(text), 0));
    expect(at4("0.0.0.0")).toEqual([all, ends]);
    expect(at4("0.0.0.1")).toEqual([all]);
    expect(at4("255.255.255.255")).toEqual([all, ends]);
    expect(at6("::")).toEqual([all]);
    expect(at6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")).toEqual([all, last6]);
  });

  it("agrees with membership by comparison on random prefixes of both families", () => {
    const source = new AddressPredicates();
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state % below;
    };
    const sets: Cidr[][] = [];
    for (let s = 0; s < 60; s++) {
      const nets: Cidr[] = [];
      for (let n = 0; n < 8; n++) {
        const four = random(2) === 0;
        const prefix = random(four ? 33 : 129);
        // Few distinct bits, so that prefixes nest and touch.
        const bits = four ? 32 : 128;
        const value = (BigInt(random(16)) << BigInt(bits - 4)) | BigInt(random(16));
        const host = BigInt(bits - prefix);
        nets.push({ family: four ? 4 : 6, value: (value >> host) << host, prefix });
      }
      sets.push(nets);
    }
    const ids = sets.map((nets) => source.predicate([source.netSet(nets)], []));
    const classes = new AddressClassBuilder(source).publish();
    for (let n = 0; n < 4000; n++) {
      const four = n % 2 === 0;
      const bits = four ? 32 : 128;
      const value = (BigInt(random(16)) << BigInt(bits - 4)) | BigInt(random(40));
      const words = Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((value >> shift) & 0xffffffffn));
      const cls = four ? classOfIPv4(classes.ipv4, Number(value)) : classOfIPv6(classes.ipv6, words, 0);
      const expected = ids.filter((_, s) =>
        sets[s].some((net) => net.family === (four ? 4 : 6) && value >> BigInt(bits - net.prefix) === net.value >> BigInt(bits - net.prefix)),
      );
      expect(predicatesOf(classes, cls)).toEqual([...new Set(expected)].toSorted((a, b) => a - b));
    }
  });

  it("follow single prefixes and many at once as if they had been there from the start", () => {
    let state = 99;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return (state >>> 8) % below;
    };
    const net = (): Cidr => {
      const four = random(3) > 0;
      const bits = four ? 32 : 128;
      const prefix = random(bits + 1);
      const value = (BigInt(random(64)) << BigInt(bits - 6)) | BigInt(random(4096));
      return { family: four ? 4 : 6, value: (value >> BigInt(bits - prefix)) << BigInt(bits - prefix), prefix };
    };
    const SETS = 12;
    const source = new AddressPredicates();
    const builder = new AddressClassBuilder(source);
    const sets = Array.from({ length: SETS }, (_, s) => source.namedSet(`${s}`, () => []));
    const members: Cidr[][] = sets.map(() => []);
    const predicates: { readonly id: number; readonly include: readonly number[]; readonly exclude: readonly number[] }[] = [];
    for (let round = 0; round < 60; round++) {
      const changes = round % 10 === 0 ? 600 : 1 + random(6);
      for (let n = 0; n < changes; n++) {
        const at = random(SETS);
        if (random(3) === 0 && members[at].length > 0) source.remove(sets[at], members[at].splice(random(members[at].length), 1)[0]);
        else {
          const cidr = net();
          members[at].push(cidr);
          source.add(sets[at], cidr);
        }
      }
      if (random(3) === 0) {
        const include = Array.from({ length: random(3) }, () => random(SETS));
        const exclude = include.length > 0 && random(2) === 0 ? [] : [random(SETS)];
        predicates.push({ id: source.predicate(include.map((s) => sets[s]), exclude.map((s) => sets[s])), include, exclude });
      }
      const classes = builder.publish();
      for (let n = 0; n < 300; n++) {
        // At the edge of a prefix, or anywhere.
        const somewhere = n % 3 === 0 ? net() : (members[random(SETS)][0] ?? net());
        const bits = somewhere.family === 4 ? 32 : 128;
        const edge = somewhere.value + (n % 2 === 0 ? 0n : (1n << BigInt(bits - somewhere.prefix)) - 1n) + BigInt(random(3) - 1);
        const value = edge < 0n || edge >= 1n << BigInt(bits) ? somewhere.value : edge;
        const words = Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((value >> shift) & 0xffffffffn));
        const cls = bits === 32 ? classOfIPv4(classes.ipv4, Number(value)) : classOfIPv6(classes.ipv6, words, 0);
        const inside = (s: number): boolean =>
          members[s].some(
            ({ family, prefix, value: start }) =>
              family === somewhere.family && value >> BigInt(bits - prefix) === start >> BigInt(bits - prefix),
          );
        const holding = predicates.filter(({ include, exclude }) => include.every(inside) && !exclude.some(inside));
        expect(predicatesOf(classes, cls)).toEqual([...new Set(holding.map(({ id }) => id))].toSorted((a, b) => a - b));
      }
    }
  });
});
