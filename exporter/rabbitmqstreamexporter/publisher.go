// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import (
	"context"
	"errors"
	"fmt"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/rabbitmqstreamexporter/internal/request"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
)

// publisher publishes requests, one at a time. It connects to the broker of a partition
// when that is needed, and after an error again. It is not safe for concurrent use.
type publisher struct {
	config   *Config
	options  rabbitstream.Options
	producer string // name for deduplication

	seed    *rabbitstream.Conn            // to the endpoint
	leaders map[string]*rabbitstream.Conn // by address, where they are other brokers
	links   []link                        // by partition
}

// link is the connection on which a partition is published.
type link struct {
	conn     *rabbitstream.Conn
	assigned uint64 // the highest publishing id that is assigned
	written  uint64 // the highest one that the broker had when the link was made
	sent     uint64 // the highest one that was sent on conn
	confirms *confirms
}

func newPublisher(config *Config, options rabbitstream.Options, producer string) *publisher {
	return &publisher{
		config: config, options: options, producer: producer,
		leaders: map[string]*rabbitstream.Conn{}, links: make([]link, config.Partitions),
	}
}

// assign assigns publishing ids to a new request.
func (p *publisher) assign(ctx context.Context, r *request.Request) error {
	for i := range r.Parts {
		if err := p.connect(ctx, r.Parts[i].Partition); err != nil {
			return err
		}
	}
	for i := range r.Parts {
		part, l := &r.Parts[i], &p.links[r.Parts[i].Partition]
		part.First = l.assigned + 1
		l.assigned = part.Last()
	}
	return nil
}

// result is what publish has done.
type result struct {
	known int // messages that were not sent, since the broker had them
	size  int // bytes that were sent
}

// publish publishes a request and waits until it is confirmed. After an error it is called
// again with the same request, before any other.
func (p *publisher) publish(ctx context.Context, r *request.Request) (result, error) {
	var done result
	for i := range r.Parts {
		if err := p.connect(ctx, r.Parts[i].Partition); err != nil {
			return done, err
		}
		if err := p.send(&r.Parts[i], &done); err != nil {
			return done, err
		}
	}
	for i := range r.Parts {
		if err := p.await(ctx, r.Parts[i].Partition); err != nil {
			return done, err
		}
	}
	return done, nil
}

// send sends the messages of a part that the broker does not have, unless they were sent on
// this connection already.
func (p *publisher) send(part *request.Part, done *result) error {
	l := &p.links[part.Partition]
	l.assigned = max(l.assigned, part.Last()) // of a request of before a restart
	if l.sent >= part.Last() {
		return nil
	}
	var entries []rabbitstream.Entry
	var ids []uint64
	for i, content := range part.Messages {
		id := part.First + uint64(i) //nolint:gosec // not negative
		if id <= l.written {
			done.known++
			continue
		}
		entry := rabbitstream.Entry{Content: rabbitstream.AppendMessage(nil, content)}
		if p.config.Compression == compressionZstd {
			entry = rabbitstream.Compressed(entry.Content)
		}
		entry.ID = id
		done.size += len(entry.Content)
		entries, ids = append(entries, entry), append(ids, id)
	}
	l.sent = part.Last()
	l.confirms.expect(ids)
	if err := l.conn.Publish(uint8(part.Partition), entries); err != nil { //nolint:gosec // at most MaxPartitions
		return fmt.Errorf("stream %s: %w", p.stream(part.Partition), err)
	}
	return nil
}

// await waits until what was sent to a partition is confirmed.
func (p *publisher) await(ctx context.Context, partition int) error {
	l := &p.links[partition]
	select {
	case <-l.confirms.finished():
	case <-l.conn.Done():
		return fmt.Errorf("stream %s: not confirmed: %w", p.stream(partition), l.conn.Err())
	case <-ctx.Done():
		return fmt.Errorf("stream %s: not confirmed: %w. An alarm of the broker blocks publishers while its disk or memory is full (rabbitmq-diagnostics alarms)",
			p.stream(partition), context.Cause(ctx))
	}
	if err := l.confirms.refused(); err != nil {
		l.conn.Close() // the next attempt asks the broker what it has
		return fmt.Errorf("stream %s: not written: %w", p.stream(partition), err)
	}
	return nil
}

func (p *publisher) stream(partition int) string {
	return rabbitmq.StreamName(p.config.Stream, partition)
}

// connect makes the link of a partition, unless it works.
func (p *publisher) connect(ctx context.Context, partition int) error {
	l := &p.links[partition]
	if l.conn != nil && l.conn.Err() == nil {
		return nil
	}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	stream := p.stream(partition)
	conn, err := p.leader(ctx, stream)
	if err != nil {
		return err
	}
	confirms := &confirms{}
	confirms.expect(nil)
	if err := conn.DeclarePublisher(ctx, uint8(partition), p.producer, stream, confirms.confirm); err != nil { //nolint:gosec // at most MaxPartitions
		conn.Close() // the id of the publisher may be in use now
		return err
	}
	written, err := conn.Sequence(ctx, p.producer, stream)
	if err != nil {
		conn.Close()
		return err
	}
	*l = link{conn: conn, written: written, assigned: max(l.assigned, written), confirms: confirms}
	return nil
}

// prepare connects to the endpoint, and creates the streams that do not exist: a reader needs
// all of them.
func (p *publisher) prepare(ctx context.Context) error {
	if p.seed != nil && p.seed.Err() == nil {
		return nil
	}
	seed, err := rabbitstream.Dial(ctx, p.options)
	if err != nil {
		return err
	}
	if err := seed.NoPartition(ctx, p.stream(p.config.Partitions)); err != nil {
		seed.Close()
		return err
	}
	for partition := range p.config.Partitions {
		_, err := seed.Leader(ctx, p.stream(partition))
		switch {
		case !errors.Is(err, rabbitstream.NoSuchStream): // another error is that of the partition
			continue
		case !p.config.Create:
			err = fmt.Errorf("%w; create it, or set create: true", err)
		default:
			err = seed.Create(ctx, p.stream(partition), p.config.Retention.Arguments())
		}
		if err != nil {
			seed.Close()
			return err
		}
	}
	p.seed = seed
	return nil
}

// leader returns the connection to the broker that leads a stream.
func (p *publisher) leader(ctx context.Context, stream string) (*rabbitstream.Conn, error) {
	address, err := p.seed.Leader(ctx, stream)
	if err != nil {
		return nil, err
	}
	if address == p.seed.Advertised() {
		return p.seed, nil
	}
	if conn := p.leaders[address]; conn != nil && conn.Err() == nil {
		return conn, nil
	}
	options := p.options
	options.Address = address
	conn, err := rabbitstream.Dial(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("leader of stream %s: %w", stream, err)
	}
	p.leaders[address] = conn
	return conn, nil
}

// close closes all connections.
func (p *publisher) close() {
	if p.seed != nil {
		p.seed.Close()
	}
	for _, conn := range p.leaders {
		conn.Close()
	}
}
