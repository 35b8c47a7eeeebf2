// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"flag"
	"strings"
)

// RegisterFlags binds every field to a flag whose default is the field's value.
func (c *Config) RegisterFlags(set *flag.FlagSet) {
	set.StringVar(&c.Listen, "listen", c.Listen, "address to listen on; port 0 takes a free one")
	set.BoolVar(&c.ListenAnywhere, "listen-anywhere", c.ListenAnywhere, "allow a --listen address that is not loopback")
	set.StringVar(&c.Advertise, "advertise", c.Advertise, "host:port that answers name as the simulator's; empty: where it listens")
	set.BoolVar(&c.TLS, "tls", c.TLS, "serve https and wss with a certificate made at start")
	set.StringVar(&c.TLSCAFile, "tls-ca-file", c.TLSCAFile, "write the certificate to trust to this PEM file")

	set.StringVar(&c.ClientID, "client-id", c.ClientID, "OAuth2 client to let in; empty lets any in")
	set.StringVar(&c.ClientSecret, "client-secret", c.ClientSecret, "secret of --client-id")
	set.Var((*list)(&c.GrantedScopes), "granted-scopes", "scopes every token is granted; empty grants what is asked for")
	set.DurationVar(&c.TokenTTL, "token-ttl", c.TokenTTL, "lifetime of a token")
	set.Var((*list)(&c.SupportedProtocols), "supported-protocols", "subprotocols of the pre-flight's answer, and of the upgrade")
	set.BoolVar(&c.PreflightArray, "preflight-array", c.PreflightArray, "answer the pre-flight with a bare array")

	set.StringVar(&c.AccessKey, "access-key", c.AccessKey, "access key for the password grant; empty lets any in")
	set.StringVar(&c.AccessKeySecret, "access-key-secret", c.AccessKeySecret, "secret of --access-key")
	set.BoolVar(&c.QuotedControl, "quoted-control", c.QuotedControl, "write the event hub's control frames as JSON strings, not bare")
	set.DurationVar(&c.ChannelHeartbeat, "channel-heartbeat", c.ChannelHeartbeat, "time between the heartbeats of a Notifications socket; 0: none")
	set.DurationVar(&c.BlankHeartbeat, "blank-heartbeat", c.BlankHeartbeat, "time between the blank frames of a TaskRouter socket; 0: none")
	set.IntVar(&c.Queues, "queues", c.Queues, "queues that sessions wait in")
	set.IntVar(&c.Agents, "agents", c.Agents, "agents who serve sessions, as the APIs other than the realtime events name them")
	set.IntVar(&c.SnapshotMessages, "snapshot-messages", c.SnapshotMessages, "messages that the snapshot of a conversation shows, at most")

	set.Var((*list)(&c.Tenants), "tenants", "tenants")
	set.IntVar(&c.TenantCount, "tenant-count", c.TenantCount, "this many tenants with made-up names, instead of --tenants")
	set.Var((*list)(&c.Regions), "regions", "regions")
	set.Var((*list)(&c.ChannelTypes), "channel-types", "channel types")
	set.Float64Var(&c.Rate, "rate", c.Rate, "events per second over all sockets; 0 is --full-speed")
	set.BoolVar(&c.FullSpeed, "full-speed", c.FullSpeed, "send as fast as the sockets accept; --rate then only paces the sessions' lives")
	set.IntVar(&c.Sessions, "sessions", c.Sessions, "open sessions aimed at, and found open at the start")
	set.Float64Var(&c.SessionMessages, "session-messages", c.SessionMessages, "messages in the life of a session, on average")
	set.BoolVar(&c.Announce, "announce", c.Announce, "begin with no session open: the first --sessions events open them")
	set.Float64Var(&c.DropRate, "drop-rate", c.DropRate, "percent of closes that are abnormal")
	set.BoolVar(&c.DailyShape, "daily-shape", c.DailyShape, "let the rate and the sessions follow the hours of a day")
	set.Uint64Var(&c.Seed, "seed", c.Seed, "same seed and flags, same events and frames")
	set.Int64Var(&c.Events, "events", c.Events, "stop sending after this many events; 0 never stops")
	set.DurationVar(&c.Duration, "duration", c.Duration, "stop sending after this long; 0 never stops")

	set.Var((*text)(&c.Frame), "frame", "form of a frame: object, array, lines or mixed")
	set.IntVar(&c.FrameEvents, "frame-events", c.FrameEvents, "events in a frame, at most")
	set.Var((*text)(&c.Timestamp), "timestamp", "form of timestamps: s, ms, us, ns or rfc3339")
	set.BoolVar(&c.Broadcast, "broadcast", c.Broadcast, "send every event to every socket, not to one in turn")
	set.Var((*text)(&c.Delivery), "delivery", "sockets of an API that an event goes to: turn, client (one client's, in turn) or broadcast")
	set.BoolVar(&c.Lossy, "lossy", c.Lossy, "events happen and are missed while no socket is there, instead of waiting")
	set.BoolVar(&c.Silent, "silent", c.Silent, "make no traffic")
	set.StringVar(&c.Record, "record", c.Record, "write every event and what became of it to this file, as JSON lines")
	set.DurationVar(&c.WriteTimeout, "write-timeout", c.WriteTimeout, "give a socket up that accepts nothing for this long")

	c.Trouble.RegisterFlags(set)
}

// RegisterFlags binds every field to a flag whose default is the field's value.
// POST /trouble takes the same names through the same flags.
func (t *Trouble) RegisterFlags(set *flag.FlagSet) {
	set.DurationVar(&t.BurstEvery, "burst-every", t.BurstEvery, "drop connections in bulk this often; 0 never does")
	set.DurationVar(&t.BurstDuration, "burst-duration", t.BurstDuration, "time over which a burst's drops are spread")
	set.Float64Var(&t.BurstDropRate, "burst-drop-rate", t.BurstDropRate, "percent of the open connections that a burst drops")
	set.StringVar(&t.BurstTenant, "burst-tenant", t.BurstTenant, "tenant that bursts strike; empty: all")
	set.StringVar(&t.BurstRegion, "burst-region", t.BurstRegion, "region that bursts strike; empty: all")

	set.DurationVar(&t.CampaignEvery, "campaign-every", t.CampaignEvery, "let a tenant's traffic rise this often; 0 never does")
	set.DurationVar(&t.CampaignDuration, "campaign-duration", t.CampaignDuration, "time for which sessions come to a campaign")
	set.Float64Var(&t.CampaignFactor, "campaign-factor", t.CampaignFactor, "factor by which the tenant's sessions and messages rise")
	set.StringVar(&t.CampaignTenant, "campaign-tenant", t.CampaignTenant, "tenant whose traffic rises; empty: the first")

	set.Float64Var(&t.Malformed, "malformed", t.Malformed, "malformed frames or objects, as a share of events; they come on top")
	set.Var((*list)(&t.MalformedKinds), "malformed-kinds", "kinds of malformed frames or objects")
	set.IntVar(&t.OversizedBytes, "oversized-bytes", t.OversizedBytes, "padding of a frame_too_large frame")
	set.Float64Var(&t.Duplicates, "duplicates", t.Duplicates, "share of events sent a second time")
	set.DurationVar(&t.Jitter, "jitter", t.Jitter, "hold each event back by up to this long, so that they arrive out of order")
	set.DurationVar(&t.Skew, "skew", t.Skew, "shift of the platform's clock; positive is ahead")
	set.StringVar(&t.SkewRegion, "skew-region", t.SkewRegion, "region whose clock is skewed; empty: all")

	set.StringVar(&t.AnswerSubprotocol, "answer-subprotocol", t.AnswerSubprotocol, "subprotocol the upgrade answers with: same, none or a literal one")
	set.Var(&t.TokenFail, "token-fail", "answer token requests with status[:times[:retry-after]]")
	set.Var(&t.PreflightFail, "preflight-fail", "answer pre-flights with status[:times[:retry-after]]")
	set.Var(&t.UpgradeFail, "upgrade-fail", "answer upgrades with status[:times[:retry-after]]")
	set.BoolVar(&t.RetryAfterDate, "retry-after-date", t.RetryAfterDate, "write Retry-After as a date, not as seconds")
	set.IntVar(&t.RateLimit, "rate-limit", t.RateLimit, "calls of the Notifications and queues API that a token may make in a minute, before 429; 0: any number")

	set.Var(&t.ChannelFail, "channel-fail", "answer requests for channels with status[:times[:retry-after]]")
	set.Var(&t.SubscriptionFail, "subscription-fail", "answer requests for subscriptions with status[:times[:retry-after]]")
	set.Var(&t.QueuesFail, "queues-fail", "answer requests for queues with status[:times[:retry-after]]")
	set.Var(&t.ConfigurationFail, "configuration-fail", "answer requests for discovery documents with status[:times[:retry-after]]")
	set.Var(&t.ConnectionFail, "connection-fail", "answer requests for chat connections with status[:times[:retry-after]]")
	set.Var(&t.TopicReject, "topic-reject", "topics to reject: a share of all, or texts that they contain")
	set.DurationVar(&t.ChannelTTL, "channel-ttl", t.ChannelTTL, "lifetime of a Notifications channel since its last subscription")
	set.DurationVar(&t.SocketClosingEvery, "socket-closing-every", t.SocketClosingEvery, "tell each Notifications socket to move at about this age; 0: never")
	set.DurationVar(&t.SocketClosingGrace, "socket-closing-grace", t.SocketClosingGrace, "time it has to move, before it is closed")
	set.BoolVar(&t.NoPong, "no-pong", t.NoPong, "leave pings and heartbeats in text frames unanswered")
	set.BoolVar(&t.RateLimited, "rate-limited", t.RateLimited, "answer event hub sockets with RATE_LIMIT_EXCEEDED")

	set.BoolVar(&t.Silence, "silence", t.Silence, "keep sockets open and send nothing, not even pongs")
	set.DurationVar(&t.SilenceAfter, "silence-after", t.SilenceAfter, "age at which a socket falls silent; 0: never")
	set.DurationVar(&t.SilenceFor, "silence-for", t.SilenceFor, "how long it stays silent; 0: for good")
	set.DurationVar(&t.ResetEvery, "reset-every", t.ResetEvery, "reset each socket without a close frame at about this age; 0: never")
	set.DurationVar(&t.CloseEvery, "close-every", t.CloseEvery, "close each socket with a close frame at about this age; 0: never")
	set.IntVar(&t.CloseCode, "close-code", t.CloseCode, "code of that close frame")
	set.StringVar(&t.CloseReason, "close-reason", t.CloseReason, "reason of that close frame")
	set.BoolVar(&t.CloseExpired, "close-expired", t.CloseExpired, "close each socket with code 1008 when its token expires")

	set.Var(&t.SinkFail, "sink-fail", "answer webhooks with status[:times[:retry-after]]")
	set.DurationVar(&t.SinkHang, "sink-hang", t.SinkHang, "answer webhooks only after this long")
	set.BoolVar(&t.SinkReset, "sink-reset", t.SinkReset, "reset the connection of a webhook once it is read, instead of an answer")
}

// list is a flag of names separated by commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = nil
	if value != "" {
		*l = strings.Split(value, ",")
	}
	return nil
}

// text is a string flag of a named type.
type text string

func (t *text) String() string { return string(*t) }

func (t *text) Set(value string) error {
	*t = text(value)
	return nil
}
