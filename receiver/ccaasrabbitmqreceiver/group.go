// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
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

	conn  *amqp091.Connection
	slot  int // number of this member; -1 for none
	owned map[int32]bool
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
		if !partitioned.Pause(ctx, pollInterval) {
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
	defer conn.Close() // it has ended, or ends now
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	g.slot, g.owned = -1, map[int32]bool{}
	for {
		if err := g.balance(reading); err != nil {
			return err
		}
		g.engine.Status.Set(ctx, partitioned.Group, nil)
		timer := time.NewTimer(pollInterval)
		select {
		case err := <-closed:
			timer.Stop()
			return fmt.Errorf("amqp_endpoint: connection closed: %w", err)
		case <-ctx.Done():
			timer.Stop()
			g.engine.Revoke(g.engine.Assigned(), partitioned.ErrRevoked)
			return nil
		case <-timer.C:
		}
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
		return fmt.Errorf("amqp_endpoint: %s: cannot connect as user %s: %w. Check the user, the password and virtual_host; rabbitmqctl set_permissions gives a user access",
			address, auth.Username, err)
	}
	return nil
}

// balance takes a member number, releases partitions beyond the own share, and takes others up
// to it.
func (g *group) balance(reading context.Context) error {
	members, err := g.members()
	if err != nil {
		return err
	}
	quota := share.Of(g.config.Partitions, members, g.slot)
	if surplus := share.Surplus(g.owned, quota); len(surplus) > 0 {
		g.engine.Revoke(surplus, partitioned.ErrRevoked)
		for _, number := range surplus {
			if err := g.release(g.partition(number)); err != nil {
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
		locked, err := g.lock(g.partition(number))
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

// members returns the numbers of the members that exist. Where this collector has none yet,
// it takes the first that is free.
func (g *group) members() (members []int, err error) {
	for slot := range g.config.Partitions {
		if slot == g.slot {
			members = append(members, slot)
			continue
		}
		if g.slot < 0 {
			locked, err := g.lock(g.member(slot))
			if err != nil {
				return nil, err
			}
			if locked {
				g.slot = slot
			}
			members = append(members, slot)
			continue
		}
		exists, err := g.exists(g.member(slot))
		if err != nil {
			return nil, err
		}
		if exists {
			members = append(members, slot)
		}
	}
	slices.Sort(members)
	return members, nil
}

// lock declares a queue as the own one, and reports whether that was possible.
func (g *group) lock(name string) (bool, error) {
	err := g.on(func(channel *amqp091.Channel) error {
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
func (g *group) exists(name string) (bool, error) {
	err := g.on(func(channel *amqp091.Channel) error {
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
func (g *group) release(name string) error {
	return g.on(func(channel *amqp091.Channel) error {
		_, err := channel.QueueDelete(name, false, false, false)
		return err
	})
}

// on calls use with a channel of its own: the broker closes a channel with each refusal.
func (g *group) on(use func(*amqp091.Channel) error) error {
	channel, err := g.conn.Channel()
	if err != nil {
		return err
	}
	if err := use(channel); err != nil {
		return err
	}
	return channel.Close()
}
