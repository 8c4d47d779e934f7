// Package penstock is the vocabulary of a write-ingestion engine: events, the partitioned log that makes them
// durable, the stores that receive them in batches, and the positions that tie the two together.
//
// It does no I/O and imports only the standard library. Everything else imports it and not its neighbours:
//
//	sender ─▶ Protocol.Decode ─▶ Appender ─▶ log ─▶ Cursor ─▶ consumer ─▶ Store.Apply ─▶ shards ─▶ Querier
//
// The central idea: a consumer's Position lives only inside the Store that it feeds, is written in the same
// transaction as the rows, and is compared before it moves. docs/design.md derives the rest from it.
package penstock
