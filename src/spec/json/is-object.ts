/** Whether a value has members by name: an object, and not a list, as JSON has them. */
export const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
