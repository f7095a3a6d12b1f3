/**
 * A table of a page: numbers are aligned to the right, and a table that is too wide can be scrolled by keyboard. The columns of each table are in
 * the file of its page.
 */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { download } from "./browser";
import { csvOf } from "./table-csv";

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => ComponentChildren;
  readonly isNumber?: boolean;
  /** Left out on narrow screens. */
  readonly isWide?: boolean;
  /** Shown only on wide screens. */
  readonly isDesk?: boolean;
  /** The cell that names the row. */
  readonly isName?: boolean;
}

type Flags = Pick<Column<never>, "isNumber" | "isWide" | "isDesk">;

interface Properties<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** Shown if there are no rows. */
  readonly empty: ComponentChildren;
  /** The URL of the same data as CSV; left out: the CSV is made from the shown table. */
  readonly csv?: string | undefined;
  /** Leaves out the caption and the CSV link, which are shown elsewhere. */
  readonly isQuiet?: boolean;
  readonly classOf?: (row: Row) => string;
}

const classes = ({ isNumber, isWide, isDesk }: Flags) =>
  [isNumber && "number", isWide && "wide", isDesk && "desk"].filter(Boolean).join(" ") || undefined;

export function Table<Row>({ caption, columns, rows, keyOf, empty, csv, isQuiet, classOf }: Properties<Row>) {
  const table = useRef<HTMLTableElement>(null);
  return (
    <>
      {isQuiet ? null : (
        <div class="caption">
          <h2>{caption}</h2>
          {rows.length > 0 ? (
            <a
              href={csv ?? "#"}
              download
              class="small"
              aria-label={`CSV of ${caption}`}
              onClick={(event) => {
                if (csv !== undefined || table.current === null) return;
                event.preventDefault();
                download(`${caption}.csv`, csvOf(table.current));
              }}
            >
              CSV
            </a>
          ) : null}
        </div>
      )}
      {rows.length === 0 ? (
        <p class="empty">{empty}</p>
      ) : (
        <section class="scroll" tabIndex={0} aria-label={caption}>
          <table ref={table}>
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column.head} scope="col" class={classes(column)}>
                    {column.head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={keyOf(row)} class={classOf?.(row)}>
                  {columns.map((column) =>
                    column.isName ? (
                      <th key={column.head} scope="row" class={classes(column)}>
                        {column.cell(row)}
                      </th>
                    ) : (
                      <td key={column.head} class={classes(column)}>
                        {column.cell(row)}
                      </td>
                    ),
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}
