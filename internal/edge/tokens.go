package edge

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
)

// Scope is a set of rights: what a token allows, or what a route asks for.
type Scope uint8

// The scopes. A route that asks for None is public. Admin allows everything.
const (
	None  Scope = 0
	Write Scope = 1 << 0
	Read  Scope = 1 << 1
	Admin Scope = 1 << 2
)

// allows reports whether a token with scope s may use a route that asks for want.
func (s Scope) allows(want Scope) bool { return s&Admin != 0 || s&want == want }

// Token is a secret and what it allows.
type Token struct {
	Name   string
	Secret string
	Allow  Scope
}

// Tokens tells secrets apart without telling an observer how close a guess came: a secret is hashed with a salt of this process
// and compared with every token's hash, found or not. It never changes and may be used concurrently.
type Tokens struct {
	salt   [32]byte
	tokens []hashedToken
}

type hashedToken struct {
	name  string
	sum   [sha256.Size]byte
	allow Scope
}

// NewTokens returns the directory of the given tokens. One without tokens, like a nil one, leaves all routes open. A token
// with an empty secret never matches.
func NewTokens(tokens []Token) *Tokens {
	t := &Tokens{}
	_, _ = rand.Read(t.salt[:]) // never fails (crypto/rand)
	for _, token := range tokens {
		h := hashedToken{name: token.Name, allow: token.Allow}
		if token.Secret != "" {
			h.sum = t.hash(token.Secret)
		}
		t.tokens = append(t.tokens, h)
	}
	return t
}

// Open reports whether there are no tokens, so that every route is open.
func (t *Tokens) Open() bool { return t == nil || len(t.tokens) == 0 }

// find returns what a secret allows and whose it is. It takes the same time for every secret of a length.
func (t *Tokens) find(secret string) (name string, allow Scope, ok bool) {
	sum := t.hash(secret)
	found := -1
	for i := range t.tokens {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], t.tokens[i].sum[:]), i, found)
	}
	if found < 0 {
		return "", None, false
	}
	return t.tokens[found].name, t.tokens[found].allow, true
}

func (t *Tokens) hash(secret string) [sha256.Size]byte {
	var scratch [256]byte
	return sha256.Sum256(append(append(scratch[:0], t.salt[:]...), secret...))
}
