import { Kind, visit } from 'graphql';
import { COST_PER_POINT, pointsOf } from '../../services/rate-limits.ts';
import type { Plan, Variables } from './plan.ts';
import { type PageSizes, type Shape, shapeOf } from './shape.ts';
import { type SizeLimits, expectAtMost } from './size.ts';

/** How large one operation may be; each limit is a setting. */
export interface OperationLimits extends PageSizes, SizeLimits {
  maxQueryDepth: number;
  maxQueryCost: number;
}

/** What follows from the text of an operation alone. */
interface Measures {
  /** The largest that variables can make of it. */
  readonly shape: Shape;
  /** Items of lists that are written as arguments. */
  readonly items: number;
  /** Variables that are arguments, each as often as it is one. */
  readonly variables: readonly string[];
}

/** Refuses operations that are too large. What follows from the text alone is measured once for each operation. */
export class Limits {
  readonly #limits: OperationLimits;
  readonly #measures = new WeakMap<Plan, Measures>();

  constructor(limits: OperationLimits) {
    this.#limits = limits;
  }

  /** @throws GraphQLError that says which limit is passed, and by how much. */
  check(plan: Plan, variables: Variables | undefined): void {
    const { maxQueryDepth, maxQueryAliases, maxQueryDirectives, maxQueryCost } = this.#limits;
    const largest = this.#measuresOf(plan).shape;
    expectAtMost('fields within fields', largest.depth, maxQueryDepth);
    expectAtMost('aliases', largest.aliases, maxQueryAliases);
    expectAtMost('directives', largest.directives, maxQueryDirectives);
    // Page sizes may be in the variables; most operations are small enough whatever these say.
    if (largest.cost <= maxQueryCost) return;
    expectAtMost('values in its answer', this.#costOf(plan, variables), maxQueryCost);
  }

  /** The points of rate limits that an operation is worth: by the values of its answer, and the ids of its batches. */
  pointsOf(plan: Plan, variables: Variables | undefined): number {
    const { shape, items, variables: used } = this.#measuresOf(plan);
    const ids = used.reduce((sum, name) => {
      const value = variables?.[name];
      return Array.isArray(value) ? sum + value.length : sum;
    }, items);
    return pointsOf(shape.cost <= COST_PER_POINT ? shape.cost : this.#costOf(plan, variables), ids);
  }

  #costOf({ document, operation }: Plan, variables: Variables | undefined): number {
    return shapeOf(document, operation, this.#limits, variables ?? {}).cost;
  }

  #measuresOf(plan: Plan): Measures {
    let measures = this.#measures.get(plan);
    if (!measures) {
      measures = { shape: shapeOf(plan.document, plan.operation, this.#limits), ...argumentsOf(plan) };
      this.#measures.set(plan, measures);
    }
    return measures;
  }
}

function argumentsOf({ document, operation }: Plan): Omit<Measures, 'shape'> {
  const variables: string[] = [];
  let items = 0;
  for (const definition of document.definitions) {
    if (definition !== operation && definition.kind !== Kind.FRAGMENT_DEFINITION) continue;
    visit(definition, {
      Argument({ value }) {
        if (value.kind === Kind.VARIABLE) variables.push(value.name.value);
        else if (value.kind === Kind.LIST) items += value.values.length;
      },
    });
  }
  return { items, variables };
}
