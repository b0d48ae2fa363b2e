import { type DefinitionNode, type DocumentNode, Kind, type SelectionSetNode } from 'graphql';
import { refusal } from './errors.ts';

/** How large a document may be. */
export interface SizeLimits {
  maxQueryDefinitions: number;
  maxQueryAliases: number;
  maxQueryDirectives: number;
}

interface Size {
  aliases: number;
  directives: number;
}

/**
 * Refuses documents of which validation could take long, before it begins: it compares every two fields of one name that
 * have a selection, and looks from every definition into all others.
 *
 * @throws GraphQLError that says which limit is passed, and by how much.
 */
export function checkSize({ definitions }: DocumentNode, limits: SizeLimits): void {
  expectAtMost('operations and fragments', definitions.length, limits.maxQueryDefinitions);
  for (const definition of definitions) {
    const { aliases, directives } = sizeOf(definition);
    expectAtMost('aliases', aliases, limits.maxQueryAliases);
    expectAtMost('directives', directives, limits.maxQueryDirectives);
  }
}

/** Of what is written in a definition, fragments that it spreads aside. A field with a selection that comes again counts as an alias. */
function sizeOf(definition: DefinitionNode): Size {
  const size = { aliases: 0, directives: 0 };
  if (definition.kind !== Kind.OPERATION_DEFINITION && definition.kind !== Kind.FRAGMENT_DEFINITION) return size;
  size.directives += definition.directives?.length ?? 0;
  const waiting: SelectionSetNode[] = [definition.selectionSet];
  for (let set = waiting.pop(); set; set = waiting.pop()) {
    const names = new Set<string>();
    for (const selection of set.selections) {
      size.directives += selection.directives?.length ?? 0;
      if (selection.kind === Kind.FRAGMENT_SPREAD) continue;
      if (selection.kind === Kind.FIELD) {
        const isAgain = selection.selectionSet !== undefined && names.has(selection.name.value);
        if (selection.alias || isAgain) size.aliases += 1;
        names.add(selection.name.value);
      }
      if (selection.selectionSet) waiting.push(selection.selectionSet);
    }
  }
  return size;
}

/** @throws GraphQLError when there is more of something than may be. */
export function expectAtMost(what: string, found: number, most: number): void {
  if (found <= most) return;
  throw refusal('BAD_USER_INPUT', `The operation is too large: ${most} ${what} are allowed, it has ${found}.`, {
    status: 400,
    spec: true,
  });
}
