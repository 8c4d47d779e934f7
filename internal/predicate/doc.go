// Package predicate is the language of a view's where: a condition over one event, in the spelling of SQL.
//
//	condition   comparison | operand [not] in (literal, …) | operand [not] like 'pattern' | operand [not] between bound and bound
//	            | operand is [not] null | operand is [not] true | operand is [not] false | ( condition )
//	            | condition is [not] null, true or false | not condition | condition and condition | condition or condition
//	comparison  two operands, or an operand and a literal on either side, with = == <> != < <= > >= between them
//	operand     a column that the stream declares; id, key, time, received_at; or a path into the event: geo.country
//	literal     'text', in which a quote is written twice, an integer or a decimal of up to 38 digits, true, false, null, timestamp '2026-01-01T00:00:00Z'
//
// Or binds least, then and, not, is, and the rest. Keywords are in any case. Everything else is refused: functions, arithmetic, casts,
// queries, a name alone.
//
// Names. A name that is not letters, digits and _, or that is a keyword, is quoted: "odd name", in which "" is ". A dot within a name is written
// \. and a backslash \\, as in every path. Case counts. A column is preferred to a path of the same spelling, and id, key, time and
// received_at are never paths. A name that differs from a column's only in its case is refused unless it is quoted.
//
// NULL is as in SQL: a comparison with it is neither true nor false, and an event counts only if the whole is true. A value that is missing or null is
// NULL, and so are an empty key, and a value that does not fit its column.
//
// Types are checked when the text is read. Text is compared with text, byte by byte; numbers with numbers; true and false with each other, only with
// = and <>; moments with moments. Integers and decimals are compared exactly; a double with any number as doubles. A literal that an integer or
// decimal column can never hold is refused where it would have to be equal.
//
// A path has no type, and a column of type json is one. Against a text its JSON string counts, against a number its JSON number, exactly, against true and
// false its boolean; any other kind is NULL. Two paths compare if both are strings, numbers or booleans. It is not compared with moments: that takes a
// column of type timestamp.
//
// Like: % is any text, _ any character, \ takes the next one as it is. However many % there are, it takes time in proportion to the text, or to the text
// times the pattern if that has _.
package predicate
