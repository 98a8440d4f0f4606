"""Labels of the fields above an older mail, in the languages in which mail programs write them: tables."""

from functools import lru_cache

_WIDEST = 40
# a blank is written as _
_NAMES = {
    "from": "from von fra från da de van od lähettäjä от от_кого отправитель feladó kimden gönderen "
    "expéditeur mittente remitente afzender nadawca avsender avsändare afsender absender de_la expeditor "
    "odesílatel odosielateľ від відправник από pošiljatelj šalje nuo saatja dari từ จาก מאת من 发件人 "
    "寄件者 寄件人 發件人 差出人 送信者 보낸_사람 보낸사람 발신 발신인 발신자",
    "date": "date sent datum gesendet sendt skickat envoyé envoyé_le fecha enviado enviado_el enviat data "
    "data_de_envio inviato verzonden enviada enviada_em wysłano lähetetty päivämäärä päiväys дата "
    "отправлено dato odesláno odoslané dátum message_du enviado_em tidspunkt elküldve gönderildi "
    "gönderme_tarihi tarih trimis dată data στάλθηκε ημερομηνία надіслано изпратено poslano išsiųsta "
    "saadetud kuupäev dikirim tanggal ngày đã_gửi วันที่ ส่ง נשלח תאריך التاريخ تم_الإرسال 发送时间 "
    "发送日期 日期 时间 寄件日期 傳送時間 傳送日期 發送時間 送信日時 日時 日付 보낸_날짜 보낸날짜 날짜 "
    "보낸_시간",
    "to": "to an til till à a para aan do vastaanottaja kopio кому komu címzett kime cc kopi kopia copie "
    "copie_à copia dw kopie bcc reply-to antwort_an répondre_à destinatario destinataire către proș προς "
    "κοιν. κοινοποίηση κοιν копия копія másolatot_kap bilgi bilgi_(cc) do_wiadomości prima kam kepada đến "
    "tới ถึง สำเนา אל העתק إلى نسخة 收件人 收件者 抄送 副本 宛先 받는_사람 받는사람 수신 수신인 수신자 "
    "참조",
    "subject": "subject betreff emne ämne objet asunto assumpte onderwerp oggetto assunto temat aihe тема "
    "předmět predmet tárgy konu sujet subiect θέμα относно zadeva teema tema tēma subjek perihal chủ_đề "
    "tiêu_đề เรื่อง נושא الموضوع 主题 主題 主旨 件名 제목",
}
_LABELS = {name.replace("_", " "): kind for kind, names in _NAMES.items() for name in names.split()}


def kind(line: str) -> str:
    """`from`, `date`, `to` or `subject`, where the line begins with such a label; else nothing."""
    return _kind(line[:_WIDEST])


@lru_cache(maxsize=64)  # each line is asked about by those above it
def _kind(begin: str) -> str:
    name, colon, _value = begin.replace("：", ":").partition(":")
    return _LABELS.get(name.strip(" \t*").lower(), "") if colon else ""
