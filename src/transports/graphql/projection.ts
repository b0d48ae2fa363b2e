import type { ExecutionResult, GraphQLError } from 'graphql';
import type { GraphQLContext } from '../../schema/index.ts';
import { asTenant } from '../../scope.ts';
import type { Plan, Variables } from './plan.ts';

/** The JSON text of a result of one event; a promise only where a field of the selection is resolved later. */
export type Rendered = string | Promise<string>;

/**
 * What one subscription's text makes of events. All subscriptions that ask for the same with the same variables hold the
 * same projection, so an event that goes to a thousand of them is executed once and written as JSON once: it is the very
 * same event object, of one inbox, that its feed hands to each.
 *
 * The execution of a shared one gets a context without a caller. A field that needs one fails there, and so can never
 * show one viewer's data to another; it has to declare itself with `viewerDependent`.
 */
export class Projection {
  readonly #plan: Plan;
  readonly #contextValue: GraphQLContext;
  readonly #variables: Variables | undefined;
  readonly #toJson: (result: ExecutionResult) => string;
  #last: object | undefined;
  #rendered: Rendered = '';

  constructor(
    plan: Plan,
    contextValue: GraphQLContext,
    variables: Variables | undefined,
    toJson: (result: ExecutionResult) => string,
  ) {
    this.#plan = plan;
    this.#contextValue = contextValue;
    this.#variables = variables;
    this.#toJson = toJson;
  }

  /** For a reader of this tenant. Never throws nor rejects: what fails is masked, as a result with errors. */
  render(event: object, tenantId: string): Rendered {
    if (event === this.#last) return this.#rendered;
    this.#last = event;
    this.#rendered = asTenant(tenantId, () => this.#execute(event));
    return this.#rendered;
  }

  /** The result that tells a failure. */
  renderFailure(error: unknown): string {
    return this.#toJson({ errors: [error as GraphQLError] });
  }

  #execute(rootValue: object): Rendered {
    try {
      const result = this.#plan.execute({ rootValue, contextValue: this.#contextValue, variables: this.#variables });
      if (!(result instanceof Promise)) return this.#toJson(result);
      return result.then(this.#toJson).catch((error: unknown) => this.renderFailure(error));
    } catch (error) {
      return this.renderFailure(error);
    }
  }
}
