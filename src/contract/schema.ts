import { Type, type Static, type TSchema } from 'typebox'
import type { Annotations } from './resource-type.ts'

/**
 * Constructors for the members of a body. They exist so that annotations are spelt right (TypeBox takes any option)
 * and because nearly every ARM member is optional. What is required is written with TypeBox itself.
 */
interface TextRules {
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
}
interface NumberRules {
  readonly minimum?: number
  readonly maximum?: number
}

const int32 = { minimum: -2_147_483_648, maximum: 2_147_483_647 }

export const needText = (notes: Annotations & TextRules = {}) => Type.String({ ...notes })
export const text = (notes: Annotations & TextRules = {}) => Type.Optional(needText(notes))
export const flag = (notes: Annotations = {}) => Type.Optional(Type.Boolean({ ...notes }))
/** A 32-bit integer, unless narrower bounds are given. */
export const needInt = (notes: Annotations & NumberRules = {}) => Type.Integer({ ...int32, ...notes })
export const int = (notes: Annotations & NumberRules = {}) => Type.Optional(needInt(notes))
/** A 64-bit count; JSON numbers are exact up to 2^53. */
export const long = (notes: Annotations = {}) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...notes }))
export const date = (notes: Annotations = {}) => Type.Optional(Type.String({ ...notes, date: true }))
export const needOneOf = <const V extends string[]>(values: readonly [...V], notes: Annotations = {}) =>
  Type.Enum(values, { ...notes })
export const oneOf = <const V extends string[]>(values: readonly [...V], notes: Annotations = {}) =>
  Type.Optional(needOneOf(values, notes))
export const part = <P extends Type.TProperties>(members: P, notes: Annotations = {}) =>
  Type.Optional(Type.Object(members, { ...notes }))
export const list = <I extends TSchema>(items: I, notes: Annotations = {}) =>
  Type.Optional(Type.Array(items, { ...notes }))
export const texts = (notes: Annotations = {}) => list(Type.String(), notes)
/** An object whose members are named by the client. */
export const mapOf = <V extends TSchema>(value: V, notes: Annotations = {}) =>
  Type.Optional(Type.Record(Type.String(), value, { ...notes }))
/** Kept as sent, unseen. */
export const anyJson = (notes: Annotations = {}) => Type.Optional(Type.Unknown({ ...notes }))

/** A schema as the rules read it. */
export interface SchemaNode extends Annotations {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
}

/** The one place where a TypeBox schema becomes plain data. */
export function readSchema(schema: TSchema): SchemaNode {
  return schema
}

/** Api-versions are dates: text order is time order (`-preview` sorts behind its stable namesake). */
export function isMemberOf(node: SchemaNode, apiVersion: string): boolean {
  return (
    (node.since === undefined || apiVersion >= node.since) && (node.until === undefined || apiVersion <= node.until)
  )
}

/** What a request of this api-version says of the member is ignored. */
export function isReadOnly(node: SchemaNode, apiVersion: string): boolean {
  return node.readOnly === true || (node.readOnlyUntil !== undefined && apiVersion <= node.readOnlyUntil)
}

export type { Static, TSchema }
