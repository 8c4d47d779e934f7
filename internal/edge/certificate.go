package edge

import (
	"crypto/tls"
	"sync/atomic"
	"time"

	"penstock"
)

// Certificate is what a listener proves itself with. It may be replaced while the listener is open; connections that stand keep
// the one they began with. Its methods may be called concurrently. Make it with LoadCertificate.
type Certificate struct {
	pair atomic.Pointer[tls.Certificate]
}

// LoadCertificate reads a chain and its key from PEM files. It fails with Invalid if they cannot be read, or do not belong together.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, penstock.Wrap(penstock.Invalid, "load certificate", err)
	}
	c := &Certificate{}
	c.pair.Store(&pair)
	return c, nil
}

// Replace makes c what other is: connections that begin from now on see that.
func (c *Certificate) Replace(other *Certificate) { c.pair.Store(other.pair.Load()) }

// Ends returns when it expires.
func (c *Certificate) Ends() time.Time { return c.pair.Load().Leaf.NotAfter }

// config returns the settings of a listener that shows it.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}
