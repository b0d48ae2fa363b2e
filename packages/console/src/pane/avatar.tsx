const HUES = 6;

/** The first letter of a name, on a ground that is always the same for that name. */
export function Avatar({ name }: { name: string }) {
  const characters = Array.from(name);
  const hue = characters.reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0) % HUES;
  return (
    <span className={`avatar hue-${hue}`} aria-hidden="true">
      {characters[0]?.toUpperCase()}
    </span>
  );
}
