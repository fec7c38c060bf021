/** What an error says, whatever was thrown: of the steps and records of tier vm. */
export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
