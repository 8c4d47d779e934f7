// Package fold makes of the rows of a batch what they add to a stream's read models: a Delta for each group of a view, partition and
// window. It is the pure part of views; a store writes the deltas in the transaction of the rows, and merges them as Columns says.
//
// A Plan is a stream's views, checked and made ready. A Fold takes in the records of one batch: it reads each body once for all views.
// What comes out depends on which records went in, and not on their order or on where batches were cut: deltas of the same group merge to
// the delta of all their records. The exceptions are sums of doubles, which are added as doubles, and tops from which keys were dropped.
//
// docs/format/view.md says what the columns of a state mean.
package fold
