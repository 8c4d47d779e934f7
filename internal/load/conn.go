package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn speaks just enough HTTP/1.1 for one request after the other.
type conn struct {
	net    net.Conn
	reader *bufio.Reader
	body   []byte // of the last answer
}

// answer is what the client looks at. Its body is valid until the next request.
type answer struct {
	status     int
	retryAfter time.Duration
	close      bool
	body       []byte
}

// answerTimeout bounds the wait for one answer; a server that stalls says so long before.
const answerTimeout = time.Minute

func dial(host string) (*conn, error) {
	c, err := net.DialTimeout("tcp", host, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{net: c, reader: bufio.NewReaderSize(c, 4096)}, nil
}

func (c *conn) close() {
	if c != nil {
		c.net.Close()
	}
}

// send writes a whole request and reads its answer.
func (c *conn) send(request []byte) (answer, error) {
	if err := c.net.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return answer{}, err
	}
	if _, err := c.net.Write(request); err != nil {
		return answer{}, err
	}
	return c.read()
}

func (c *conn) read() (answer, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return answer{}, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return answer{}, fmt.Errorf("read answer: %.40q is no status line", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %.40q is no status line", line)
	}
	a := answer{status: status}
	length, err := c.readHeaders(&a)
	if err != nil {
		return a, err
	}
	if length < 0 {
		a.body, err = c.readChunks()
	} else {
		c.body = append(c.body[:0], make([]byte, length)...)
		_, err = io.ReadFull(c.reader, c.body)
		a.body = c.body
	}
	return a, err
}

// readHeaders returns the body's length, or -1 when it comes in chunks.
func (c *conn) readHeaders(a *answer) (int, error) {
	length := 0
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > 1<<24 {
				return 0, fmt.Errorf("read answer: content length %.40q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		case bytes.EqualFold(name, []byte("Retry-After")):
			if s, err := strconv.Atoi(string(value)); err == nil {
				a.retryAfter = time.Duration(s) * time.Second
			}
		case bytes.EqualFold(name, []byte("Connection")):
			a.close = bytes.EqualFold(value, []byte("close"))
		}
	}
}

func (c *conn) readChunks() ([]byte, error) {
	c.body = c.body[:0]
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 24)
		if err != nil {
			return nil, errors.New("read answer: a chunk has no length")
		}
		at := len(c.body)
		c.body = append(c.body, make([]byte, n+2)...)
		if _, err := io.ReadFull(c.reader, c.body[at:]); err != nil {
			return nil, err
		}
		c.body = c.body[:at+int(n)]
		if n == 0 {
			return c.body, nil
		}
	}
}
