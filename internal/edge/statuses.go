package edge

import (
	"net/http"

	"penstock"
)

// rule says how a code is answered.
type rule struct {
	status int
	word   string
	text   string // instead of the error's own, which may name paths or hosts; or, if the code is open, in its absence
	open   bool   // the client is the one to act on it, and sees the error's own text
}

var codes = map[penstock.Code]rule{
	penstock.Invalid:     {http.StatusBadRequest, "invalid", "the request is wrong", true},
	penstock.NotFound:    {http.StatusNotFound, "not_found", "there is no such thing", true},
	penstock.Forbidden:   {http.StatusForbidden, "forbidden", "it is not allowed", true},
	penstock.Conflict:    {http.StatusConflict, "conflict", "it contradicts what is there", true},
	penstock.Expired:     {http.StatusGatewayTimeout, "expired", "the time was not enough", true},
	penstock.Trimmed:     {http.StatusGone, "trimmed", "the log no longer keeps that position", false},
	penstock.Overloaded:  {http.StatusServiceUnavailable, "overloaded", "too much is under way: try again later", false},
	penstock.Full:        {http.StatusServiceUnavailable, "log_full", "the log is full: try again when room was made", false},
	penstock.Unavailable: {http.StatusServiceUnavailable, "unavailable", "this server cannot do it now: try again later", false},
	penstock.Unknown:     {http.StatusServiceUnavailable, "unknown", "it may or may not have been done: repeat it with the same ids", false},
	penstock.Stale:       {http.StatusServiceUnavailable, "stale", "the position moved meanwhile: try again", false},
	penstock.NotOwner:    {http.StatusServiceUnavailable, "not_owner", "another server holds this partition: try again later", false},
	penstock.Corrupt:     {http.StatusInternalServerError, "corrupt", "stored bytes are damaged: an operator has to look at it", false},
	penstock.Internal:    {http.StatusInternalServerError, "internal", "the server made a mistake", false},
}

// statuses are the reasons whose status is not that of their code. A reason that is missing here is answered by its code.
var statuses = map[string]int{
	"unauthorized":           http.StatusUnauthorized,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"not_acceptable":         http.StatusNotAcceptable,
	"body_too_slow":          http.StatusRequestTimeout,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"too_large":              http.StatusRequestEntityTooLarge,
	"too_many_items":         http.StatusRequestEntityTooLarge,
	"uri_too_long":           http.StatusRequestURITooLong,
	"unsupported_media_type": http.StatusUnsupportedMediaType,
	"unsupported_encoding":   http.StatusUnsupportedMediaType,
	"misdirected":            http.StatusMisdirectedRequest,
	"too_many_headers":       http.StatusRequestHeaderFieldsTooLarge,

	"too_many_attempts": http.StatusTooManyRequests,
	"cardinality":       http.StatusTooManyRequests,
	"rate_limited":      http.StatusTooManyRequests,
	"too_many_queries":  http.StatusTooManyRequests,

	"not_visible_yet": http.StatusGatewayTimeout,
	"query_limit":     http.StatusUnprocessableEntity,
	"query_too_large": http.StatusUnprocessableEntity,
	"unknown_stream":  http.StatusNotFound,
	"unknown_view":    http.StatusNotFound,
	"unknown_member":  http.StatusNotFound,

	"bad_url":         http.StatusUnprocessableEntity,
	"insufficient":    http.StatusUnprocessableEntity,
	"unknown_account": http.StatusUnprocessableEntity,
	"same_account":    http.StatusUnprocessableEntity,
	"bad_amount":      http.StatusUnprocessableEntity,
	"bad_currency":    http.StatusUnprocessableEntity,
	"overflow":        http.StatusUnprocessableEntity,
	"expired":         http.StatusUnprocessableEntity,
	"unknown_hold":    http.StatusUnprocessableEntity,
	"hold_closed":     http.StatusUnprocessableEntity,
	"cross_shard":     http.StatusUnprocessableEntity,
}
