package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	timeout         = 5 * time.Second
	messageBytesMax = 1 << 20
)

// Database is as much of a PostgreSQL client as this service needs, so that nothing has to be installed: simple queries
// of a user without a password, over one connection that is made again when it was lost. See "Frontend/Backend Protocol"
// in PostgreSQL's manual.
type Database struct {
	Address, User, Name string

	mutex      sync.Mutex
	connection net.Conn
	reader     *bufio.Reader
}

// Query returns rows of texts.
func (d *Database) Query(text string) ([][]string, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.connection == nil {
		if err := d.connect(); err != nil {
			return nil, d.lose(err)
		}
	}
	_ = d.connection.SetDeadline(time.Now().Add(timeout))
	if err := d.send('Q', text+"\x00"); err != nil {
		return nil, d.lose(err)
	}
	rows, err := d.untilReady()
	if err != nil {
		return nil, d.lose(err)
	}
	return rows, nil
}

func (d *Database) connect() (err error) {
	if d.connection, err = net.DialTimeout("tcp", d.Address, timeout); err != nil {
		return err
	}
	d.reader = bufio.NewReader(d.connection)
	_ = d.connection.SetDeadline(time.Now().Add(timeout))
	const version = "\x00\x03\x00\x00"
	if err = d.send(0, version+"user\x00"+d.User+"\x00database\x00"+d.Name+"\x00\x00"); err != nil {
		return err
	}
	_, err = d.untilReady()
	return err
}

func (d *Database) lose(err error) error {
	if d.connection != nil {
		d.connection.Close()
		d.connection = nil
	}
	return err
}

// The first message of a connection has no kind.
func (d *Database) send(kind byte, body string) error {
	var message bytes.Buffer
	if kind != 0 {
		message.WriteByte(kind)
	}
	_ = binary.Write(&message, binary.BigEndian, int32(len(body)+4))
	message.WriteString(body)
	_, err := d.connection.Write(message.Bytes())
	return err
}

func (d *Database) untilReady() (rows [][]string, err error) {
	for {
		kind, body, err := d.receive()
		if err != nil {
			return nil, err
		}
		switch kind {
		case 'D':
			rows = append(rows, columns(body))
		case 'E':
			return nil, errors.New("PostgreSQL: " + strings.ReplaceAll(string(body), "\x00", " "))
		case 'R':
			if binary.BigEndian.Uint32(body) != 0 {
				return nil, errors.New("PostgreSQL asks for a password")
			}
		case 'Z':
			return rows, nil
		}
	}
}

func (d *Database) receive() (byte, []byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(d.reader, head); err != nil {
		return 0, nil, err
	}
	length := int(binary.BigEndian.Uint32(head[1:])) - 4
	if length < 0 || length > messageBytesMax {
		return 0, nil, errors.New("PostgreSQL sends what makes no sense")
	}
	body := make([]byte, length)
	_, err := io.ReadFull(d.reader, body)
	return head[0], body, err
}

func columns(body []byte) []string {
	texts := []string{}
	for rest := body[2:]; len(rest) >= 4; {
		length := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if length < 0 {
			length = 0
		}
		texts, rest = append(texts, string(rest[:length])), rest[length:]
	}
	return texts
}
