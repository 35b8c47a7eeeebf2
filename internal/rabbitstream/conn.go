// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package rabbitstream is a client of RabbitMQ's stream protocol, for RabbitMQ 3.9 and
// newer.
//
// Every wait has a deadline or a context, so that a broker that stops to respond is an
// error. A connection does not reconnect: after its first error the caller dials again,
// and knows therefore what was confirmed on which connection. docs/adr/0022 says why RabbitMQ's own
// client is not used.
package rabbitstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Options are those of a connection.
type Options struct {
	Address     string      // host:port
	TLS         *tls.Config // nil: plain
	Username    string
	Password    string
	VirtualHost string
	Name        string        // of the connection, in the broker's management
	Heartbeat   time.Duration // a connection without a frame for twice as long is broken
	Timeout     time.Duration // of connecting, of a request and of a write
}

// MaxMessage is the maximum size in bytes of the data of a published message.
const MaxMessage = requestedFrame - 1<<10

const (
	requestedFrame = 1 << 20 // maximum size of a frame that is sent, as brokers have it by default
	maxReceived    = MaxChunk + 1<<10
)

// ErrClosed is the error of a connection that its owner has closed.
var ErrClosed = errors.New("connection closed")

// Conn is a connection. Its methods may be called by several goroutines.
type Conn struct {
	options    Options
	net        net.Conn
	frameMax   int
	version    string
	advertised string // host:port by which other clients know this broker

	ended context.Context // ends with the connection; its cause is the error
	fail  context.CancelCauseFunc
	done  sync.WaitGroup

	writing sync.Mutex

	mutex       sync.Mutex
	correlation uint32
	requests    map[uint32]chan []byte
	confirms    map[uint8]func(ids []uint64, code Code)
	deliveries  map[uint8]func(*Chunk)
	tune        chan []byte
}

// Dial connects to a broker and opens the virtual host.
func Dial(ctx context.Context, options Options) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	var dialer net.Dialer
	plain, err := dialer.DialContext(ctx, "tcp", options.Address)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot connect: %w. Check that RabbitMQ runs (3.9 or newer), "+
			"has the plugin rabbitmq_stream enabled, and listens there: its stream port is 5552, with TLS 5551", options.Address, err)
	}
	c := newConn(ctx, options, plain)
	if options.TLS != nil {
		secure := tls.Client(plain, options.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, fmt.Errorf("%s: TLS: %w. %s", options.Address, err, tlsAction(err))
		}
		c.net = secure
	}
	c.done.Go(c.read)
	if err := c.handshake(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", options.Address, err)
	}
	if c.options.Heartbeat > 0 {
		c.done.Go(c.heartbeat)
	}
	return c, nil
}

func newConn(ctx context.Context, options Options, conn net.Conn) *Conn {
	c := &Conn{
		options: options, net: conn, frameMax: requestedFrame,
		requests: map[uint32]chan []byte{}, confirms: map[uint8]func([]uint64, Code){}, deliveries: map[uint8]func(*Chunk){},
		tune: make(chan []byte, 1),
	}
	c.ended, c.fail = context.WithCancelCause(context.WithoutCancel(ctx)) // it outlives the call of Dial
	return c
}

// handshake authenticates and opens the virtual host.
func (c *Conn) handshake(ctx context.Context) error {
	properties, err := c.call(ctx, keyPeerProperties, func(b []byte) []byte {
		return appendMap(b, map[string]string{"product": "otelcol-ccaas", "connection_name": c.options.Name})
	})
	if err != nil {
		return fmt.Errorf("does not respond in the stream protocol: %w. Its port is 5552, with TLS 5551; 5672 is that of AMQP", err)
	}
	c.version = properties.properties()["version"]
	if _, err := c.call(ctx, keySaslHandshake, nil); err != nil {
		return fmt.Errorf("authentication: %w", err)
	}
	_, err = c.call(ctx, keySaslAuthenticate, func(b []byte) []byte {
		secret := "\x00" + c.options.Username + "\x00" + c.options.Password
		b = appendString(b, "PLAIN")
		b = binary.BigEndian.AppendUint32(b, uint32(len(secret))) //nolint:gosec // short
		return append(b, secret...)
	})
	if err != nil {
		return fmt.Errorf("user %s: %w", c.options.Username, err)
	}
	if err := c.negotiate(ctx); err != nil {
		return err
	}
	opened, err := c.call(ctx, keyOpen, func(b []byte) []byte { return appendString(b, c.options.VirtualHost) })
	if err != nil {
		return fmt.Errorf("virtual host %s: %w", c.options.VirtualHost, err)
	}
	at := opened.properties()
	c.advertised = net.JoinHostPort(at["advertised_host"], at["advertised_port"])
	return nil
}

// negotiate agrees on the frame size and the heartbeat: the smaller one, where 0 is none.
func (c *Conn) negotiate(ctx context.Context) error {
	smaller := func(a, b uint32) uint32 {
		if a == 0 || b == 0 {
			return max(a, b)
		}
		return min(a, b)
	}
	select {
	case frame := <-c.tune:
		d := decoder{rest: frame}
		size := smaller(requestedFrame, d.uint32())
		seconds := smaller(uint32(c.options.Heartbeat.Seconds()), d.uint32()) //nolint:gosec // a configured number of seconds
		if d.err != nil {
			return d.err
		}
		c.frameMax, c.options.Heartbeat = int(size), time.Duration(seconds)*time.Second
		return c.write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(command(keyTune), size), seconds))
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ended.Done():
		return c.Err()
	}
}

// Close closes the connection. It returns when no handler is called any more.
func (c *Conn) Close() {
	if c.Err() == nil && c.advertised != "" {
		// The response is not waited for. The broker logs a connection that ends without it.
		_ = c.write(appendString(binary.BigEndian.AppendUint16(request(keyClose, 0), uint16(ok)), ""))
	}
	c.close(ErrClosed)
	c.done.Wait()
}

func (c *Conn) close(why error) {
	c.fail(why)
	_ = c.net.Close()
}

// Done is closed when the connection ends, and Err returns why.
func (c *Conn) Done() <-chan struct{} { return c.ended.Done() }

// Err returns why the connection has ended, nil while it has not.
func (c *Conn) Err() error { return context.Cause(c.ended) }

// Version is the version of the broker.
func (c *Conn) Version() string { return c.version }

// Advertised is the address by which brokers name this one, host:port.
func (c *Conn) Advertised() string { return c.advertised }

// write writes a frame, whose first bytes are reserved for its size.
func (c *Conn) write(frame []byte) error {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-frameHeader)) //nolint:gosec // bounded by the frame size
	c.writing.Lock()
	defer c.writing.Unlock()
	err := c.net.SetWriteDeadline(time.Now().Add(c.options.Timeout))
	if err == nil {
		_, err = c.net.Write(frame)
	}
	if err != nil { // part of the frame may be written
		c.close(fmt.Errorf("%s: writing: %w", c.options.Address, err))
		return c.Err()
	}
	return nil
}

// call sends a request and waits for its response.
func (c *Conn) call(ctx context.Context, key uint16, arguments func([]byte) []byte) (decoder, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	response := make(chan []byte, 1)
	c.mutex.Lock()
	c.correlation++
	id := c.correlation
	c.requests[id] = response
	c.mutex.Unlock()
	defer func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		delete(c.requests, id)
	}()
	frame := request(key, id)
	if arguments != nil {
		frame = arguments(frame)
	}
	if err := c.write(frame); err != nil {
		return decoder{}, err
	}
	select {
	case content := <-response:
		d := decoder{rest: content}
		if key != keyMetadata { // it has a code for each stream
			if err := Code(d.uint16()).err(); err != nil {
				return decoder{}, err
			}
		}
		return d, d.err
	case <-ctx.Done():
		return decoder{}, fmt.Errorf("no response from the broker: %w", context.Cause(ctx))
	case <-c.ended.Done():
		return decoder{}, c.Err()
	}
}

// read handles the frames of the broker until the connection ends.
func (c *Conn) read() {
	reader := bufio.NewReaderSize(c.net, 64<<10)
	for {
		frame, err := c.readFrame(reader)
		if err == nil {
			err = c.handle(frame)
		}
		if err != nil {
			c.close(fmt.Errorf("%s: %w", c.options.Address, err))
			return
		}
	}
}

func (c *Conn) readFrame(reader io.Reader) ([]byte, error) {
	limit := time.Time{}
	if c.options.Heartbeat > 0 {
		limit = time.Now().Add(2 * c.options.Heartbeat)
	}
	if err := c.net.SetReadDeadline(limit); err != nil {
		return nil, err
	}
	var size [frameHeader]byte
	if _, err := io.ReadFull(reader, size[:]); err != nil {
		return nil, fmt.Errorf("the broker has closed the connection or does not respond: %w", err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxReceived {
		return nil, fmt.Errorf("frame of %d bytes, at most %d are read", n, maxReceived)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(reader, frame)
	return frame, err
}

func (c *Conn) handle(frame []byte) error {
	d := decoder{rest: frame}
	key, _ := d.uint16(), d.uint16()
	switch key {
	case keyDeliver:
		return c.deliver(&d)
	case keyPublishConfirm, keyPublishError:
		return c.confirm(&d, key == keyPublishError)
	case keyMetadataUpdate:
		code := Code(d.uint16())
		return fmt.Errorf("stream %s: %w", d.string(), code)
	case keyTune:
		select {
		case c.tune <- d.rest:
		default:
		}
		return nil
	case keyClose:
		_, code := d.uint32(), Code(d.uint16())
		return fmt.Errorf("closed by the broker: %s (%w)", d.string(), code)
	}
	if key&responseBit == 0 {
		return nil // a heartbeat, or a command that the client has not asked for
	}
	if key == keyCredit|responseBit {
		code := Code(d.uint16())
		return fmt.Errorf("credit of subscription %d: %w", d.uint8(), code)
	}
	id := d.uint32()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if waiting, found := c.requests[id]; found {
		delete(c.requests, id)
		waiting <- d.rest
	}
	return d.err
}

func (c *Conn) deliver(d *decoder) error {
	id := d.uint8()
	chunk, err := decodeChunk(d)
	if err != nil {
		return err
	}
	c.mutex.Lock()
	use := c.deliveries[id]
	c.mutex.Unlock()
	if use != nil {
		use(chunk)
	}
	return nil
}

func (c *Conn) confirm(d *decoder, failed bool) error {
	id := d.uint8()
	c.mutex.Lock()
	use := c.confirms[id]
	c.mutex.Unlock()
	if use == nil {
		use = func([]uint64, Code) {}
	}
	if !failed {
		ids := make([]uint64, d.count(8))
		for i := range ids {
			ids[i] = d.uint64()
		}
		use(ids, ok)
		return d.err
	}
	for range d.count(10) {
		publishing := d.uint64()
		use([]uint64{publishing}, Code(d.uint16()))
	}
	return d.err
}

// heartbeat sends heartbeats.
func (c *Conn) heartbeat() {
	ticker := time.NewTicker(c.options.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = c.write(command(keyHeartbeat)) // an error ends the connection
		case <-c.ended.Done():
			return
		}
	}
}
