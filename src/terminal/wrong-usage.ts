/** Thrown by a command whose arguments do not fit together: its message goes to standard error, and the exit code is 2. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}
