import { describe, expect, it } from "vitest";
import { parseCidr, type Cidr } from "../../src/address/address.ts";
import { buildAddressClasses, classOfIPv4, classOfIPv6, type AddressClasses } from "../../src/tables/address-classes.ts";
import { AddressPredicates } from "../../src/tables/address-sets.ts";

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
    const classes = buildAddressClasses(source);
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
    const classes = buildAddressClasses(source);
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
    const classes = buildAddressClasses(source);
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
    const classes = buildAddressClasses(source);
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
});
