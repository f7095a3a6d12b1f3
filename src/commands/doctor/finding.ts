/** One result of `embedgate doctor`. A new check returns these, and is a line of doctor.ts. */
export interface Finding {
  /** What was checked, such as disk. */
  readonly check: string;
  /** `note`: it works, but needs attention. Only `wrong` fails the command. */
  readonly result: "ok" | "note" | "wrong";
  readonly says: string;
  /** What to type or to change; null if there is nothing to do. */
  readonly mend: string | null;
}

export const fine = (check: string, says: string): Finding => ({ check, result: "ok", says, mend: null });
export const note = (check: string, says: string, mend: string | null = null): Finding => ({
  check,
  result: "note",
  says,
  mend,
});
export const wrong = (check: string, says: string, mend: string): Finding => ({
  check,
  result: "wrong",
  says,
  mend,
});

/** Adds --config with the checked routing file to recommended commands. */
export const withConfig = (file: string | undefined) => (file === undefined ? "" : ` --config ${file}`);
