import type { ExecutionResult, GraphQLError } from 'graphql';
import type { GraphQLContext } from '../../schema/index.ts';
import type { StreamEvent } from '../../services/inbox-event.ts';
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
  #last: StreamEvent | undefined;
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

  render(event: StreamEvent): Rendered {
    if (event === this.#last) return this.#rendered;
    this.#last = event;
    this.#rendered = this.#execute(event);
    return this.#rendered;
  }

  /** The last result of a subscription that failed. */
  renderFailure(error: Error): string {
    return this.#toJson({ errors: [error as GraphQLError] });
  }

  #execute(rootValue: StreamEvent): Rendered {
    const result = this.#plan.execute({ rootValue, contextValue: this.#contextValue, variables: this.#variables });
    return result instanceof Promise ? result.then(this.#toJson) : this.#toJson(result);
  }
}
