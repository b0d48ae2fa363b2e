import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
  getNamedType,
  getNullableType,
  isCompositeType,
  isListType,
  isObjectType,
  isInterfaceType,
} from 'graphql';
import { schema } from '../../schema/index.ts';
import type { Variables } from './plan.ts';

/** How large an operation is. Fragments count at each place where they are spread. */
export interface Shape {
  /** Fields within fields; 1 when none has a selection. */
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
  /** About how many values its answer can have, and each field of the root for as many as a statement is worth. */
  readonly cost: number;
}

/** Sizes of lists that are not written in the document. */
export interface PageSizes {
  /** Of a page, where the document says none. */
  defaultPageSize: number;
  /** The server gives no more, whatever is asked for. */
  maxPageSize: number;
}

/** What a field of the root costs beside its values: it reads or writes with a statement of its own. */
const ROOT_COST = 10;

/** Items of a list that has no page size and no list of ids. */
const LIST_SIZE = 10;

/** Arguments that say how many items a field has at most: a number, or a list of what is asked for. */
const PAGE_ARGUMENTS = new Set(['first', 'last']);
const LIST_ARGUMENTS = new Set(['userIds', 'ids']);

/** The schema about itself is bounded by graphql-js (MaxIntrospectionDepthRule), and the same for everybody. */
const INTROSPECTION = new Set(['__schema', '__type', '__typename']);
const INTROSPECTION_COST = 2000;

const NOTHING: Shape = { depth: 0, aliases: 0, directives: 0, cost: 0 };

const sum = (one: Shape, other: Shape): Shape => ({
  depth: Math.max(one.depth, other.depth),
  aliases: one.aliases + other.aliases,
  directives: one.directives + other.directives,
  cost: one.cost + other.cost,
});

/**
 * Measures an operation of a valid document. With `variables` page sizes are those of the request; without, the largest
 * that variables can make of them. Each fragment is looked into once for each page size that it stands under.
 */
export function shapeOf(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  sizes: PageSizes,
  variables?: Variables,
): Shape {
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  const known = new Map<string, Shape>();

  const valueOf = (value: ValueNode): unknown => {
    if (value.kind === Kind.INT) return Number(value.value);
    if (value.kind === Kind.LIST) return value.values;
    if (value.kind !== Kind.VARIABLE) return undefined;
    if (!variables) return Infinity;
    const given = variables[value.name.value];
    if (given !== undefined) return given;
    const { defaultValue } =
      operation.variableDefinitions?.find(({ variable }) => variable.name.value === value.name.value) ?? {};
    return defaultValue && valueOf(defaultValue);
  };

  /** How many items each list below a field has, by what its arguments say; undefined when they say nothing. */
  const pageOf = ({ arguments: given = [] }: FieldNode, field: GraphQLField<unknown, unknown>): number | undefined => {
    const page = field.args.find(({ name }) => PAGE_ARGUMENTS.has(name));
    const list = field.args.find(({ name }) => LIST_ARGUMENTS.has(name));
    if (!page && !list) return undefined;
    const values = given
      .filter(({ name }) => PAGE_ARGUMENTS.has(name.value) || LIST_ARGUMENTS.has(name.value))
      .map(({ value }) => valueOf(value));
    const counts = values.map((value) => (Array.isArray(value) ? value.length : value)).filter(isCount);
    const asked = counts.length > 0 ? Math.max(...counts) : sizes.defaultPageSize;
    return Math.min(asked, sizes.maxPageSize);
  };

  const ofField = (node: FieldNode, parent: GraphQLCompositeType, page: number | undefined, isRoot: boolean): Shape => {
    const own = {
      depth: 1,
      aliases: node.alias ? 1 : 0,
      directives: node.directives?.length ?? 0,
      cost: isRoot ? ROOT_COST : 1,
    };
    const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[node.name.value] : undefined;
    const type = field && getNamedType(field.type);
    if (!field || !node.selectionSet || !isCompositeType(type)) return own;
    const pageHere = pageOf(node, field);
    const isList = isListType(getNullableType(field.type));
    const times = isList ? (pageHere ?? page ?? LIST_SIZE) : 1;
    // A page is used up by the list that it is the page of.
    const inner = ofSelections(node.selectionSet, type, isList ? undefined : (pageHere ?? page), false);
    return { ...sum(own, inner), depth: inner.depth + 1, cost: own.cost + times * inner.cost };
  };

  const ofFragment = (fragment: FragmentDefinitionNode, page: number | undefined, isRoot: boolean): Shape => {
    const key = `${fragment.name.value} ${page} ${isRoot}`;
    let shape = known.get(key);
    if (!shape) {
      shape = ofSelections(fragment.selectionSet, typeNamed(fragment.typeCondition.name.value), page, isRoot);
      known.set(key, shape);
    }
    return shape;
  };

  const ofSelections = (
    { selections }: SelectionSetNode,
    type: GraphQLCompositeType,
    page: number | undefined,
    isRoot: boolean,
  ): Shape =>
    selections.reduce((shape, node) => {
      if (node.kind === Kind.FIELD) {
        if (!INTROSPECTION.has(node.name.value)) return sum(shape, ofField(node, type, page, isRoot));
        return node.selectionSet ? sum(shape, { ...NOTHING, cost: INTROSPECTION_COST }) : shape;
      }
      const directives = { ...NOTHING, directives: node.directives?.length ?? 0 };
      const fragment = node.kind === Kind.FRAGMENT_SPREAD ? fragments.get(node.name.value) : undefined;
      const inner =
        node.kind === Kind.INLINE_FRAGMENT
          ? ofSelections(
              node.selectionSet,
              node.typeCondition ? typeNamed(node.typeCondition.name.value) : type,
              page,
              isRoot,
            )
          : fragment
            ? ofFragment(fragment, page, isRoot)
            : NOTHING;
      return sum(sum(shape, directives), inner);
    }, NOTHING);

  const root = schema.getRootType(operation.operation);
  const shape = root ? ofSelections(operation.selectionSet, root, undefined, true) : NOTHING;
  return sum(shape, { ...NOTHING, directives: operation.directives?.length ?? 0 });
}

const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0;

const typeNamed = (name: string): GraphQLCompositeType => schema.getType(name) as GraphQLCompositeType;
