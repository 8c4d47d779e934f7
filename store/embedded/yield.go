package embedded

import "runtime"

// behind runs f in a thread of its own that yields the processor to others, and returns when f has: what a query computes for long
// must not keep those waiting who are answered in milliseconds. DuckDB runs a statement in the thread that asks for it.
func behind(f func()) {
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, since its priority cannot be raised again
		lowerPriority()
		f()
	}()
	if value := <-ended; value != nil {
		panic(value)
	}
}
