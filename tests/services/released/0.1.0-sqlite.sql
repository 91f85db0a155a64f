PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE incident (
	id INTEGER NOT NULL, 
	server VARCHAR NOT NULL, 
	sender VARCHAR NOT NULL, 
	state TEXT, 
	open_key VARCHAR, 
	opened_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	evidence TEXT NOT NULL, 
	score FLOAT NOT NULL, 
	version INTEGER NOT NULL, 
	turn INTEGER NOT NULL, 
	state_by VARCHAR, 
	state_at DATETIME, 
	snoozed_until DATETIME, 
	quiet_since DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (open_key)
);
INSERT INTO incident VALUES(1,'mail','ann@example.test','open',replace('mail\nann@example.test','\n',char(10)),'2026-03-02 09:00:00.000000','2026-03-02 09:00:00.000000','{}',60.0,1,0,NULL,NULL,NULL,NULL);
CREATE TABLE intent (
	id VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	server VARCHAR NOT NULL, 
	incident_id INTEGER, 
	chat VARCHAR NOT NULL, 
	channel VARCHAR NOT NULL, 
	bound_to VARCHAR, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	target TEXT NOT NULL, 
	state TEXT, 
	claimed_by VARCHAR, 
	claimed_name VARCHAR, 
	claimed_at DATETIME, 
	finished_at DATETIME, 
	summary TEXT NOT NULL, 
	undo TEXT, 
	undo_until DATETIME, 
	undo_of VARCHAR, 
	undone BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO intent VALUES('intent-0','stop','mail',1,'slack','C1',NULL,'2026-03-02 09:00:00.000000','2026-03-09 09:00:00.000000','{"account":"ann@example.test"}','offered',NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,0);
INSERT INTO intent VALUES('intent-1','stop','mail',1,'slack','C1',NULL,'2026-03-02 09:00:00.000000','2026-03-09 09:00:00.000000','{"account":"ann@example.test"}','claimed','slack:UOPERATOR','Olga','2026-03-02 09:00:00.000000',NULL,'',NULL,NULL,NULL,0);
INSERT INTO intent VALUES('intent-2','stop','mail',1,'slack','C1',NULL,'2026-03-02 09:00:00.000000','2026-03-09 09:00:00.000000','{"account":"ann@example.test"}','done','slack:UOPERATOR','Olga','2026-03-02 09:00:00.000000',NULL,'',NULL,NULL,NULL,0);
CREATE TABLE announcement (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	incident_id INTEGER, 
	intent_id VARCHAR, 
	text TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO announcement VALUES(1,'2026-03-02 09:00:00.000000',1,'intent-1','',1);
CREATE TABLE posted (
	id INTEGER NOT NULL, 
	chat VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	ref INTEGER NOT NULL, 
	channel VARCHAR NOT NULL, 
	message_id VARCHAR, 
	version INTEGER NOT NULL, 
	tried_at DATETIME, 
	error TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (chat, kind, ref)
);
INSERT INTO posted VALUES(1,'slack','incident',1,'C1','1772442000.000100',1,NULL,NULL);
CREATE TABLE auditentry (
	seq INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	phase VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	actor VARCHAR NOT NULL, 
	actor_name VARCHAR NOT NULL, 
	server VARCHAR NOT NULL, 
	incident_id INTEGER, 
	intent_id VARCHAR, 
	subject VARCHAR NOT NULL, 
	detail TEXT NOT NULL, 
	prev_hash VARCHAR NOT NULL, 
	hash VARCHAR NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO auditentry VALUES(1,'2026-03-02 09:00:00.000000','intent','stop','slack:UOPERATOR','Olga','mail',1,'intent-1','ann@example.test','{"account": "ann@example.test"}','0000000000000000000000000000000000000000000000000000000000000000','4d7a3f16d03ae4822d5e3cc9136ccf735380e298fa0b85514245ac4dd0546aff');
INSERT INTO auditentry VALUES(2,'2026-03-02 09:00:00.000000','refused','stop','slack:USTRANGER','Sid','mail',NULL,NULL,'ann@example.test','{}','4d7a3f16d03ae4822d5e3cc9136ccf735380e298fa0b85514245ac4dd0546aff','86b282575a8093388082a67c17f41f6ebc62de2f1bcfb3cbec9d49fae36779e5');
CREATE TABLE pollcursor (
	server VARCHAR NOT NULL, 
	cursor VARCHAR NOT NULL, 
	last_at DATETIME NOT NULL, 
	PRIMARY KEY (server)
);
INSERT INTO pollcursor VALUES('mail','7','2026-03-02 09:00:00.000000');
CREATE TABLE recentsubmission (
	id INTEGER NOT NULL, 
	server VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	sender VARCHAR NOT NULL, 
	client_ip VARCHAR, 
	recipients INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	subject_key VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO recentsubmission VALUES(1,'mail','2026-03-02 09:00:00.000000','ann@example.test','192.0.2.10',1,512,'you won','You won');
CREATE TABLE senderhabit (
	server VARCHAR NOT NULL, 
	sender VARCHAR NOT NULL, 
	start DATETIME NOT NULL, 
	messages INTEGER NOT NULL, 
	recipients INTEGER NOT NULL, 
	PRIMARY KEY (server, sender, start)
);
INSERT INTO senderhabit VALUES('mail','ann@example.test','2026-03-02 09:00:00.000000',1,1);
CREATE TABLE lesson (
	server VARCHAR NOT NULL, 
	sender VARCHAR NOT NULL, 
	messages INTEGER NOT NULL, 
	taught_by VARCHAR NOT NULL, 
	taught_at DATETIME NOT NULL, 
	PRIMARY KEY (server, sender)
);
INSERT INTO lesson VALUES('mail','bob@example.test',90,'slack:UOPERATOR','2026-03-02 09:00:00.000000');
CREATE INDEX ix_intent_offer ON intent (incident_id, action, state);
CREATE INDEX ix_intent_undo_of ON intent (undo_of);
CREATE INDEX ix_intent_incident_id ON intent (incident_id);
CREATE INDEX ix_announcement_incident_id ON announcement (incident_id);
CREATE INDEX ix_announcement_intent_id ON announcement (intent_id);
CREATE INDEX ix_auditentry_intent_id ON auditentry (intent_id);
CREATE TRIGGER auditentry_no_update BEFORE UPDATE ON auditentry BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER auditentry_no_delete BEFORE DELETE ON auditentry BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX ix_recent_at ON recentsubmission (server, at);
CREATE INDEX ix_recent_sender ON recentsubmission (server, sender, at);
COMMIT;
