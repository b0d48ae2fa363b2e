import { expect, test } from '@jest/globals';
import {
  type OperationDefinitionNode,
  type VariableDefinitionNode,
  Kind,
  TypeInfo,
  getNamedType,
  getVariableValues,
  parse,
  validate,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { schema } from '../../src/schema/index.ts';
import { type ExampleTab, readExamples } from '../../src/web/graphiql-examples.ts';

const tabs = await readExamples();

const rootTypes = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
const operationsOf = ({ query }: ExampleTab): OperationDefinitionNode[] =>
  parse(query).definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
const operations = tabs.flatMap(operationsOf);
const variablesOf = ({ variables = '{}' }: ExampleTab): Record<string, unknown> => JSON.parse(variables);

/** `Query.inboxState`, and the like: every field of a root type that a document asks for. */
function rootFieldsOf({ query }: ExampleTab): string[] {
  const found: string[] = [];
  const types = new TypeInfo(schema);
  visit(
    parse(query),
    visitWithTypeInfo(types, {
      Field({ name }) {
        const parent = getNamedType(types.getParentType());
        if (rootTypes.some((type) => type === parent)) found.push(`${parent?.name}.${name.value}`);
      },
    }),
  );
  return found;
}

test('every query, mutation and subscription of the schema has an example', () => {
  const fields = rootTypes.flatMap((type) =>
    Object.keys(type?.getFields() ?? {}).map((field) => `${String(type)}.${field}`),
  );
  expect(fields.length).toBeGreaterThan(25);
  const shown = new Set(tabs.flatMap(rootFieldsOf));
  expect(fields.filter((field) => !shown.has(field))).toEqual([]);
});

test('every example is valid', () => {
  for (const { query } of tabs) expect(validate(schema, parse(query))).toEqual([]);
});

test('every example has a name of its own, by which it is chosen', () => {
  const names = operations.map(({ name }) => name?.value);
  expect(names).not.toContain(undefined);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

const declaredIn = (tab: ExampleTab): VariableDefinitionNode[] =>
  operationsOf(tab).flatMap(({ variableDefinitions = [] }) => variableDefinitions);

test('the variables of a tab are those that its examples need, and such that they can be run', () => {
  for (const tab of tabs) {
    const declared = new Set(declaredIn(tab).map(({ variable }) => variable.name.value));
    expect(new Set(Object.keys(variablesOf(tab)))).toEqual(declared);
    for (const { variableDefinitions = [] } of operationsOf(tab)) {
      expect(getVariableValues(schema, variableDefinitions, variablesOf(tab)).errors).toBeUndefined();
    }
  }
});

test('the first tab needs no variables, as GraphiQL does not show them at first', () => {
  expect(declaredIn(tabs[0]!)).toEqual([]);
});

test('what is scheduled by an example is in the future of whoever opens the page', async () => {
  const nowMs = Date.parse('2030-01-01T00:00:00.000Z');
  const later = (await readExamples(nowMs)).map(variablesOf).find(({ input }) => input !== undefined);
  expect(later).toMatchObject({ input: { sendAt: '2030-01-01T00:10:00.000Z' } });
});
