import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFilterClauses } from './filter-clauses.ts'

const cases: readonly (readonly [filter: string | undefined, clauses: readonly string[]])[] = [
  [undefined, []],
  [' ', []],
  ['atScope()', ['atscope call undefined']],
  ["assignedTo( 'a' ) AND atScope()", ["assignedto call 'a'", 'atscope call undefined']],
  ["Name eq 'O''Brien and sons'", ["name eq 'O'Brien and sons'"]],
  ["name eq ''", ["name eq ''"]],
  ["(location eq 'x') and (name eq 'y')", ["location eq 'x'", "name eq 'y'"]],
  ["(location eq 'x' and name eq 'y')", ["location eq 'x'", "name eq 'y'"]],
  ['time GE 2026-01-02T03:04:05Z and time le 2026', ['time ge 2026-01-02T03:04:05Z', 'time le 2026']],
  ["x eq 'a' or y eq 'b'", [' call undefined']],
  ["x eq 'a' and y", ["x eq 'a'", ' call undefined']],
  ["x eq 'a and b (c) and d eq ''e''' and y eq 'f'", ["x eq 'a and b (c) and d eq 'e''", "y eq 'f'"]],
  ["x eq 'a", [' call undefined']],
  ["x ne 'a'", [' call undefined']],
  ['x', [' call undefined']],
]
for (const [filter, clauses] of cases)
  test(`the clauses of ${filter}`, () => {
    const shown = readFilterClauses(filter).map(
      ({ name, operator, quoted, bare }) => `${name} ${operator} ${quoted === undefined ? bare : `'${quoted}'`}`,
    )
    assert.deepEqual(shown, clauses)
  })
