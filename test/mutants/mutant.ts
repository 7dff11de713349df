// A mutant: one rule of the architecture, or of the house, negated in one place of the code.
// Tables of them lie beside this file, a section each; a fragment that is not there exactly once is an error of its table.

/** What a row may say differently from its table. */
interface Exception {
  readonly file?: string;
  readonly tests?: readonly string[];
  /** Why no test can tell this mutant from the code: it is then expected to survive. */
  readonly explained?: string;
  /** No test tells it from the code yet, though one could: told in the summary, and no failure. */
  readonly isOpen?: boolean;
}

/** The rule's number and name, the fragment, what stands in its place. */
export type Row = readonly [rule: string, find: string, replace: string, exception?: Exception];

export interface Section {
  /** Of the project's list of rules; what it is in the manual's numbering stands in `about`. */
  readonly section: string;
  readonly about: string;
  readonly file: string;
  /** The cheapest tests that must kill it. */
  readonly tests: readonly string[];
}

export interface Mutant {
  readonly section: string;
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
  readonly explained: string | undefined;
  readonly isOpen: boolean;
}

export function mutantsOf(section: Section, rows: readonly Row[]): readonly Mutant[] {
  return rows.map(([rule, find, replace, exception = {}]) => ({
    section: section.section,
    rule,
    file: exception.file ?? section.file,
    find,
    replace,
    tests: exception.tests ?? section.tests,
    explained: exception.explained,
    isOpen: exception.isOpen ?? false,
  }));
}

/**
 * The text with the mutant's fragment replaced.
 * @throws Error when the fragment is missing, not unique, or replaced by itself
 */
export function mutated(text: string, mutant: Mutant): string {
  const [before = "", after, ...more] = text.split(mutant.find);
  const where = `${mutant.section} ${mutant.rule}: ${mutant.file}`;
  if (after === undefined) throw new Error(`${where} has no fragment ${JSON.stringify(mutant.find)}`);
  if (more.length > 0) throw new Error(`${where} has ${more.length + 1} fragments ${JSON.stringify(mutant.find)}`);
  if (mutant.find === mutant.replace) throw new Error(`${where}: the mutant changes nothing`);
  return before + mutant.replace + after;
}
