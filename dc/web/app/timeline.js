// The tasks of a job over workers and time.
export function Timeline() {
  return null;
}
