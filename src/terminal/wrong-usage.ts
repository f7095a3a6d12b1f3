/** Thrown by a command whose arguments do not fit together: its words go to standard error, and the exit code is 2. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}
