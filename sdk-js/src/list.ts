// Lists that page by themselves.

/** One page of a list. */
export interface Page<Item> {
  /** The revision that this page reflects. */
  readonly revision: bigint;
  /** The items. */
  readonly items: readonly Item[];
  /** What to ask for the next page with; empty after the last. */
  readonly nextPageToken: string;
}

/**
 * A list. `for await` goes through its items and asks for page after page; each page is a call of its own, with a
 * time-out of its own. Nothing is asked before the first item is wanted, and nothing after the last that is taken. It
 * can be gone through again.
 */
export class List<Item> implements AsyncIterable<Item> {
  readonly #read: (pageToken: string, wanted: number) => Promise<Page<Item>>;
  readonly #first: string;
  readonly #limit: number;

  /** Made by the methods that answer lists; `wanted` is how many items are still to come of `limit`. */
  constructor(
    read: (pageToken: string, wanted: number) => Promise<Page<Item>>,
    pageToken: string | undefined,
    limit?: number,
  ) {
    this.#read = read;
    this.#first = pageToken ?? "";
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
  }

  /** Goes through the items. Throws what the call of a page throws. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for await (const page of this.pages()) {
      yield* page.items;
    }
  }

  /** Goes through the pages. Throws what the call of a page throws. */
  async *pages(): AsyncGenerator<Page<Item>, void, undefined> {
    let token = this.#first;
    let wanted = this.#limit;
    do {
      const page = await this.#read(token, wanted);
      yield page;
      token = page.nextPageToken;
      wanted -= page.items.length;
    } while (token !== "" && wanted > 0);
  }

  /** All items at once. */
  async toArray(): Promise<Item[]> {
    const items: Item[] = [];
    for await (const page of this.pages()) {
      items.push(...page.items);
    }
    return items;
  }
}
