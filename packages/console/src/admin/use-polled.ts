import type { ApolloClient, OperationVariables } from '@apollo/client';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { useEffect, useState } from 'react';

/** Counted from one answer to the next question. */
const POLL_MS = 2000;

export interface Polled<T> {
  /** The last answer: a new object each time, also when nothing has changed. */
  readonly data: T | null;
  /** Why the last question was not answered. */
  readonly error: Error | null;
}

/** Asks again and again while the page is in front. The same variables must be the same object. */
export function usePolled<T, V extends OperationVariables>(
  apollo: ApolloClient,
  query: TypedDocumentNode<T, V>,
  variables: V,
): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ data: null, error: null });
  useEffect(() => {
    const asking = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      const { data, error } = document.hidden ? {} : await answerOf(apollo, query, variables);
      if (asking.signal.aborted) return;
      if (data) setPolled({ data, error: null });
      if (error) setPolled((last) => ({ ...last, error }));
      timer = setTimeout(() => void ask(), POLL_MS);
    };
    void ask();
    return () => {
      asking.abort();
      clearTimeout(timer);
    };
  }, [apollo, query, variables]);
  return polled;
}

async function answerOf<T, V extends OperationVariables>(
  apollo: ApolloClient,
  query: TypedDocumentNode<T, V>,
  variables: V,
): Promise<{ data?: T | undefined; error?: Error }> {
  try {
    const { data } = await apollo.query<T>({ query, variables, fetchPolicy: 'no-cache' });
    return { data };
  } catch (error) {
    return { error: error as Error };
  }
}
