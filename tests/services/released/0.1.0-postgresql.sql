SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.announcement (
    id integer NOT NULL,
    at timestamp without time zone NOT NULL,
    incident_id integer,
    intent_id character varying,
    text text NOT NULL,
    version integer NOT NULL
);
CREATE SEQUENCE public.announcement_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.announcement_id_seq OWNED BY public.announcement.id;
CREATE TABLE public.auditentry (
    seq integer NOT NULL,
    at timestamp without time zone NOT NULL,
    phase character varying NOT NULL,
    action character varying NOT NULL,
    actor character varying NOT NULL,
    actor_name character varying NOT NULL,
    server character varying NOT NULL,
    incident_id integer,
    intent_id character varying,
    subject character varying NOT NULL,
    detail text NOT NULL,
    prev_hash character varying NOT NULL,
    hash character varying NOT NULL
);
CREATE SEQUENCE public.auditentry_seq_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auditentry_seq_seq OWNED BY public.auditentry.seq;
CREATE TABLE public.incident (
    id integer NOT NULL,
    server character varying NOT NULL,
    sender character varying NOT NULL,
    state text,
    open_key character varying,
    opened_at timestamp without time zone NOT NULL,
    updated_at timestamp without time zone NOT NULL,
    evidence text NOT NULL,
    score double precision NOT NULL,
    version integer NOT NULL,
    turn integer NOT NULL,
    state_by character varying,
    state_at timestamp without time zone,
    snoozed_until timestamp without time zone,
    quiet_since timestamp without time zone
);
CREATE SEQUENCE public.incident_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.incident_id_seq OWNED BY public.incident.id;
CREATE TABLE public.intent (
    id character varying NOT NULL,
    action character varying NOT NULL,
    server character varying NOT NULL,
    incident_id integer,
    chat character varying NOT NULL,
    channel character varying NOT NULL,
    bound_to character varying,
    created_at timestamp without time zone NOT NULL,
    expires_at timestamp without time zone NOT NULL,
    target text NOT NULL,
    state text,
    claimed_by character varying,
    claimed_name character varying,
    claimed_at timestamp without time zone,
    finished_at timestamp without time zone,
    summary text NOT NULL,
    undo text,
    undo_until timestamp without time zone,
    undo_of character varying,
    undone boolean NOT NULL
);
CREATE TABLE public.lesson (
    server character varying NOT NULL,
    sender character varying NOT NULL,
    messages integer NOT NULL,
    taught_by character varying NOT NULL,
    taught_at timestamp without time zone NOT NULL
);
CREATE TABLE public.pollcursor (
    server character varying NOT NULL,
    cursor character varying NOT NULL,
    last_at timestamp without time zone NOT NULL
);
CREATE TABLE public.posted (
    id integer NOT NULL,
    chat character varying NOT NULL,
    kind character varying NOT NULL,
    ref integer NOT NULL,
    channel character varying NOT NULL,
    message_id character varying,
    version integer NOT NULL,
    tried_at timestamp without time zone,
    error text
);
CREATE SEQUENCE public.posted_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.posted_id_seq OWNED BY public.posted.id;
CREATE TABLE public.recentsubmission (
    id integer NOT NULL,
    server character varying NOT NULL,
    at timestamp without time zone NOT NULL,
    sender character varying NOT NULL,
    client_ip character varying,
    recipients integer NOT NULL,
    size integer NOT NULL,
    subject_key character varying NOT NULL,
    subject character varying NOT NULL
);
CREATE SEQUENCE public.recentsubmission_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.recentsubmission_id_seq OWNED BY public.recentsubmission.id;
CREATE TABLE public.senderhabit (
    server character varying NOT NULL,
    sender character varying NOT NULL,
    start timestamp without time zone NOT NULL,
    messages integer NOT NULL,
    recipients integer NOT NULL
);
ALTER TABLE ONLY public.announcement ALTER COLUMN id SET DEFAULT nextval('public.announcement_id_seq'::regclass);
ALTER TABLE ONLY public.auditentry ALTER COLUMN seq SET DEFAULT nextval('public.auditentry_seq_seq'::regclass);
ALTER TABLE ONLY public.incident ALTER COLUMN id SET DEFAULT nextval('public.incident_id_seq'::regclass);
ALTER TABLE ONLY public.posted ALTER COLUMN id SET DEFAULT nextval('public.posted_id_seq'::regclass);
ALTER TABLE ONLY public.recentsubmission ALTER COLUMN id SET DEFAULT nextval('public.recentsubmission_id_seq'::regclass);
INSERT INTO public.announcement VALUES (1, '2026-03-02 09:00:00', 1, 'intent-1', '', 1);
INSERT INTO public.auditentry VALUES (1, '2026-03-02 09:00:00', 'intent', 'stop', 'slack:UOPERATOR', 'Olga', 'mail', 1, 'intent-1', 'ann@example.test', '{"account": "ann@example.test"}', '0000000000000000000000000000000000000000000000000000000000000000', '4d7a3f16d03ae4822d5e3cc9136ccf735380e298fa0b85514245ac4dd0546aff');
INSERT INTO public.auditentry VALUES (2, '2026-03-02 09:00:00', 'refused', 'stop', 'slack:USTRANGER', 'Sid', 'mail', NULL, NULL, 'ann@example.test', '{}', '4d7a3f16d03ae4822d5e3cc9136ccf735380e298fa0b85514245ac4dd0546aff', '86b282575a8093388082a67c17f41f6ebc62de2f1bcfb3cbec9d49fae36779e5');
INSERT INTO public.incident VALUES (1, 'mail', 'ann@example.test', 'open', 'mail
ann@example.test', '2026-03-02 09:00:00', '2026-03-02 09:00:00', '{}', 60, 1, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.intent VALUES ('intent-0', 'stop', 'mail', 1, 'slack', 'C1', NULL, '2026-03-02 09:00:00', '2026-03-09 09:00:00', '{"account":"ann@example.test"}', 'offered', NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, false);
INSERT INTO public.intent VALUES ('intent-1', 'stop', 'mail', 1, 'slack', 'C1', NULL, '2026-03-02 09:00:00', '2026-03-09 09:00:00', '{"account":"ann@example.test"}', 'claimed', 'slack:UOPERATOR', 'Olga', '2026-03-02 09:00:00', NULL, '', NULL, NULL, NULL, false);
INSERT INTO public.intent VALUES ('intent-2', 'stop', 'mail', 1, 'slack', 'C1', NULL, '2026-03-02 09:00:00', '2026-03-09 09:00:00', '{"account":"ann@example.test"}', 'done', 'slack:UOPERATOR', 'Olga', '2026-03-02 09:00:00', NULL, '', NULL, NULL, NULL, false);
INSERT INTO public.lesson VALUES ('mail', 'bob@example.test', 90, 'slack:UOPERATOR', '2026-03-02 09:00:00');
INSERT INTO public.pollcursor VALUES ('mail', '7', '2026-03-02 09:00:00');
INSERT INTO public.posted VALUES (1, 'slack', 'incident', 1, 'C1', '1772442000.000100', 1, NULL, NULL);
INSERT INTO public.recentsubmission VALUES (1, 'mail', '2026-03-02 09:00:00', 'ann@example.test', '192.0.2.10', 1, 512, 'you won', 'You won');
INSERT INTO public.senderhabit VALUES ('mail', 'ann@example.test', '2026-03-02 09:00:00', 1, 1);
SELECT pg_catalog.setval('public.announcement_id_seq', 1, true);
SELECT pg_catalog.setval('public.auditentry_seq_seq', 1, false);
SELECT pg_catalog.setval('public.incident_id_seq', 1, true);
SELECT pg_catalog.setval('public.posted_id_seq', 1, true);
SELECT pg_catalog.setval('public.recentsubmission_id_seq', 1, true);
ALTER TABLE ONLY public.announcement
    ADD CONSTRAINT announcement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auditentry
    ADD CONSTRAINT auditentry_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT incident_open_key_key UNIQUE (open_key);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT incident_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.intent
    ADD CONSTRAINT intent_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.lesson
    ADD CONSTRAINT lesson_pkey PRIMARY KEY (server, sender);
ALTER TABLE ONLY public.pollcursor
    ADD CONSTRAINT pollcursor_pkey PRIMARY KEY (server);
ALTER TABLE ONLY public.posted
    ADD CONSTRAINT posted_chat_kind_ref_key UNIQUE (chat, kind, ref);
ALTER TABLE ONLY public.posted
    ADD CONSTRAINT posted_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.recentsubmission
    ADD CONSTRAINT recentsubmission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.senderhabit
    ADD CONSTRAINT senderhabit_pkey PRIMARY KEY (server, sender, start);
CREATE INDEX ix_announcement_incident_id ON public.announcement USING btree (incident_id);
CREATE INDEX ix_announcement_intent_id ON public.announcement USING btree (intent_id);
CREATE INDEX ix_auditentry_intent_id ON public.auditentry USING btree (intent_id);
CREATE INDEX ix_intent_incident_id ON public.intent USING btree (incident_id);
CREATE INDEX ix_intent_offer ON public.intent USING btree (incident_id, action, state);
CREATE INDEX ix_intent_undo_of ON public.intent USING btree (undo_of);
CREATE INDEX ix_recent_at ON public.recentsubmission USING btree (server, at);
CREATE INDEX ix_recent_sender ON public.recentsubmission USING btree (server, sender, at);
