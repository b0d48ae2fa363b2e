/** The first of the variables that has no value. */
export const firstUnset = (variables: Record<string, unknown>): string | undefined =>
  Object.keys(variables).find((name) => variables[name] === undefined);
