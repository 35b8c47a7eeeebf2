// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver/internal/share"
)

// pollInterval is the interval at which a collector looks for other collectors and for
// partitions without an owner.
const pollInterval = time.Second

// group is the membership in the group of collectors.
//
// Exclusive queues are the locks: a queue belongs to the connection that has declared it,
// nobody else can declare it, and it is deleted when that connection ends, or was silent
// for the session timeout. Each member holds the queue of a member number, from which
// all know how many there are, and the queues of its partitions.
type group struct {
	config *Config
	engine *partitioned.Engine
	logger *zap.Logger
	prefix string
	tls    *tls.Config

	conn    *amqp091.Connection
	slot    int // number of this member; -1 for none
	highest int // number of a member at the latest look
	looks   int // for members
	owned   map[int32]bool
}

func (g *group) member(slot int) string { return fmt.Sprintf("%s-member-%d", g.prefix, slot) }
func (g *group) partition(number int32) string {
	return fmt.Sprintf("%s-partition-%d", g.prefix, number)
}

// run keeps the membership until ctx ends. reading is the context of the partitions.
func (g *group) run(ctx context.Context, reading context.Context) {
	for {
		err := g.runOnce(ctx, reading)
		if ctx.Err() != nil {
			return
		}
		g.logger.Error("Membership in the group is lost; its partitions may have other owners", zap.String("group_id", g.config.GroupID), zap.Error(err))
		g.engine.Status.Set(ctx, partitioned.Group, err)
		g.engine.Revoke(g.engine.Assigned(), partitioned.ErrLost)
		if !pause.For(ctx, pollInterval) {
			return
		}
	}
}

// runOnce is a member for as long as the connection lasts.
func (g *group) runOnce(ctx, reading context.Context) error {
	if err := g.connect(ctx); err != nil {
		return err
	}
	conn := g.conn
	defer func() { // it has ended, or ends now, also where the broker does not respond
		_ = conn.CloseDeadline(time.Now().Add(g.config.ClientConfig.Timeout))
	}()
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	g.slot, g.highest, g.looks, g.owned = -1, -1, 0, map[int32]bool{}
	for {
		err := g.balance(ctx, reading)
		if err == nil {
			g.engine.Status.Set(ctx, partitioned.Group, nil)
			err = idle(ctx, closed)
		}
		if ctx.Err() != nil { // the locks are kept until the state is saved
			g.engine.Revoke(g.engine.Assigned(), partitioned.ErrRevoked)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// idle waits until it is time to look again. The error is that of a connection that has ended.
func idle(ctx context.Context, closed <-chan *amqp091.Error) error {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case err := <-closed:
		return fmt.Errorf("amqp_endpoint: connection closed: %w", err)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func (g *group) connect(ctx context.Context) error {
	address, secure, err := g.config.amqpAddress()
	if err != nil {
		return err
	}
	auth := g.config.ClientConfig.Auth
	config := amqp091.Config{
		SASL:  []amqp091.Authentication{&amqp091.PlainAuth{Username: auth.Username, Password: string(auth.Password)}},
		Vhost: g.config.ClientConfig.VirtualHost,
		// The broker removes a member that was silent for two intervals.
		Heartbeat: g.config.SessionTimeout / 2,
		Locale:    "en_US",
		Dial: func(network, address string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: g.config.ClientConfig.Timeout}
			conn, err := dialer.DialContext(ctx, network, address)
			if err == nil {
				err = conn.SetDeadline(time.Now().Add(g.config.ClientConfig.Timeout)) // of the handshake; the client clears it
			}
			return conn, err
		},
		Properties: amqp091.Table{"connection_name": g.prefix, "product": "otelcol-ccaas"},
	}
	scheme := "amqp"
	if secure {
		scheme, config.TLSClientConfig = "amqps", g.tls
	}
	if g.conn, err = amqp091.DialConfig(scheme+"://"+address+"/", config); err != nil {
		return fmt.Errorf("amqp_endpoint: %s: cannot connect as user %s: %w. %s", address, auth.Username, err, action(err))
	}
	version, _ := g.conn.Properties["version"].(string)
	if err := supported(version); err != nil {
		_ = g.conn.CloseDeadline(time.Now().Add(g.config.ClientConfig.Timeout))
		return fmt.Errorf("amqp_endpoint: %s: %w", address, err)
	}
	return nil
}

// action is what to do about an error of connecting.
func action(err error) string {
	var refused *amqp091.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refused):
		return "Check the user, the password and virtual_host; rabbitmqctl set_permissions gives a user access"
	case errors.As(err, &certificate):
		return "Set tls::ca_file to the authority that has signed the certificate of the broker, and connect to a host that it names"
	default:
		return "Check that RabbitMQ runs and listens there: its AMQP port is 5672, with TLS 5671"
	}
}

// supported returns an error for a version of RabbitMQ that has no streams. One that is unknown is tried.
func supported(version string) error {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n == 2 && (major < 3 || major == 3 && minor < 9) {
		return fmt.Errorf("RabbitMQ %s has no streams: upgrade it to 3.9 or newer", version)
	}
	return nil
}

// balance takes a member number, releases partitions beyond the own share, and takes others up
// to it.
func (g *group) balance(ctx, reading context.Context) error {
	members, err := g.members(ctx)
	if err != nil {
		return err
	}
	quota := share.Of(g.config.Partitions, members, g.slot)
	if surplus := share.Surplus(g.owned, quota); len(surplus) > 0 {
		g.engine.Revoke(surplus, partitioned.ErrRevoked)
		for _, number := range surplus {
			if err := g.release(ctx, g.partition(number)); err != nil {
				return err
			}
			delete(g.owned, number)
		}
	}
	for _, number := range share.Candidates(g.config.Partitions, members, g.slot) {
		if len(g.owned) >= quota {
			break
		}
		if g.owned[number] {
			continue
		}
		locked, err := g.lock(ctx, g.partition(number))
		if err != nil {
			return err
		}
		if locked {
			g.owned[number] = true
			g.engine.Assign(reading, []int32{number})
		}
	}
	return nil
}

// The broker logs each question for a queue that does not exist as an error. So the numbers
// above the known members are not asked for at each look: the next one every few looks, since
// a new member takes the first that is free, and all of them every minute.
const (
	looksForNext = 5
	looksForAll  = 60
)

// members returns the numbers of the members that exist. Where this collector has none yet,
// it takes the first that is free.
func (g *group) members(ctx context.Context) (members []int, err error) {
	last := g.highest
	switch {
	case g.slot < 0 || g.looks%looksForAll == 0:
		last = g.config.Partitions - 1
	case g.looks%looksForNext == 0:
		last++
	}
	g.looks++
	for slot := 0; slot <= last && slot < g.config.Partitions; slot++ {
		if slot == g.slot {
			members = append(members, slot)
			continue
		}
		if g.slot < 0 {
			locked, err := g.lock(ctx, g.member(slot))
			if err != nil {
				return nil, err
			}
			if locked {
				g.slot = slot
			}
			members = append(members, slot)
			continue
		}
		exists, err := g.exists(ctx, g.member(slot))
		if err != nil {
			return nil, err
		}
		if exists {
			members = append(members, slot)
			if slot > g.highest { // several new ones follow each other
				last = max(last, slot+1)
			}
		}
	}
	g.highest = g.slot
	if len(members) > 0 {
		g.highest = members[len(members)-1]
	}
	return members, nil
}

// lock declares a queue as the own one, and reports whether that was possible.
func (g *group) lock(ctx context.Context, name string) (bool, error) {
	err := g.on(ctx, func(channel *amqp091.Channel) error {
		_, err := channel.QueueDeclare(name, false, false, true, false, nil)
		return err
	})
	var refused *amqp091.Error
	if errors.As(err, &refused) && refused.Code == amqp091.ResourceLocked {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("amqp_endpoint: declaring queue %s: %w", name, err)
	}
	return true, nil
}

// exists reports whether a queue exists.
func (g *group) exists(ctx context.Context, name string) (bool, error) {
	err := g.on(ctx, func(channel *amqp091.Channel) error {
		_, err := channel.QueueDeclarePassive(name, false, false, true, false, nil)
		return err
	})
	var refused *amqp091.Error
	switch {
	case err == nil, errors.As(err, &refused) && refused.Code == amqp091.ResourceLocked:
		return true, nil
	case errors.As(err, &refused) && refused.Code == amqp091.NotFound:
		return false, nil
	default:
		return false, fmt.Errorf("amqp_endpoint: queue %s: %w", name, err)
	}
}

// release deletes an own queue.
func (g *group) release(ctx context.Context, name string) error {
	return g.on(ctx, func(channel *amqp091.Channel) error {
		_, err := channel.QueueDelete(name, false, false, false)
		return err
	})
}

// on calls use with a channel of its own: the broker closes a channel with each refusal. The
// client takes no context, so a call that the broker does not answer ends with the connection.
func (g *group) on(ctx context.Context, use func(*amqp091.Channel) error) error {
	conn, done := g.conn, make(chan error, 1)
	go func() {
		channel, err := conn.Channel()
		if err == nil {
			if err = use(channel); err == nil {
				err = channel.Close()
			}
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
