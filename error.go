package penstock

import (
	"errors"
	"fmt"
)

// Code answers the question "what should the caller do?".
type Code string

// The codes. An error without one is Internal, and its text does not reach a client.
const (
	Invalid     Code = "invalid"     // the request is wrong: fix it, a repeat fails again
	NotFound    Code = "not_found"   // there is no such thing
	Forbidden   Code = "forbidden"   // not with this credential, or not at all
	Conflict    Code = "conflict"    // what exists contradicts it: an operator decides
	Overloaded  Code = "overloaded"  // nothing was done: retry later
	Full        Code = "full"        // nothing was done: retry when room was made
	Unavailable Code = "unavailable" // nothing was done: this process is ending, or what it needs is away
	Unknown     Code = "unknown"     // it may or may not have been done: ask, or repeat with the same ids
	Stale       Code = "stale"       // nothing was done: the caller's position is not the present one, ask for it again
	NotOwner    Code = "not_owner"   // the store does not hold this partition
	Trimmed     Code = "trimmed"     // the log no longer keeps that position
	Corrupt     Code = "corrupt"     // stored bytes are damaged: an operator decides
	Expired     Code = "expired"     // the time given was not enough
	Internal    Code = "internal"    // a defect
)

// Error carries a code, the operation ("verb subject") and what lies behind it.
type Error struct {
	Code   Code
	Op     string
	Err    error
	Reason string // the stable word that clients see, such as "too_deep"; empty: the code itself
}

// Error returns "operation: cause".
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Op + ": " + string(e.Code)
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Wrap returns err under a code and an operation, or nil if err is nil.
func Wrap(code Code, op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Op: op, Err: err}
}

// Errorf returns a new Error whose cause is the formatted text.
func Errorf(code Code, op, format string, args ...any) error {
	return &Error{Code: code, Op: op, Err: fmt.Errorf(format, args...)}
}

// Refusef returns an Invalid error with the stable word that clients see.
func Refusef(reason, op, format string, args ...any) error {
	return &Error{Code: Invalid, Op: op, Err: fmt.Errorf(format, args...), Reason: reason}
}

// CodeOf returns the code of the outermost Error in err's chain: "" for nil, Internal when there is none.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries code.
func Is(err error, code Code) bool { return CodeOf(err) == code }
