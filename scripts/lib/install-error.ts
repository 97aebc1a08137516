/** Why the engine cannot be put into a database, or be taken out of it: codes MR050 to MR059. */
export class InstallError extends Error {
  override name = 'InstallError';
  readonly code: string;
  readonly detail: string;
  readonly hint: string;

  constructor(code: string, message: string, { detail, hint }: { detail: string; hint: string }) {
    super(message);
    this.code = code;
    this.detail = detail;
    this.hint = hint;
  }
}
